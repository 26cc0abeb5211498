"""Tests of `learning.exchange` and of the commands that use it."""

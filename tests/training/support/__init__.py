"""Tests of `training.support`."""

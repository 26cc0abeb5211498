"""Tests of `training.exchange`."""

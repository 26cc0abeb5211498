"""Tests of `training.measures`."""

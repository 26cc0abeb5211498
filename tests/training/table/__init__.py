"""Tests of `training.table`."""

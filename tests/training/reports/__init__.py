"""Tests of `training.reports`."""

"""Tests of `training.annotators`."""

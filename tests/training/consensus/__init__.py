"""Tests of `training.consensus`."""

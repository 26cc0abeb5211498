"""Tests of `training.segmenters.slices`."""

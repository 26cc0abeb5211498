"""Tests of `training.segmenters.boxes`."""

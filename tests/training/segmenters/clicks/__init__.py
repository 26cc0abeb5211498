"""Tests of `training.segmenters.clicks`."""

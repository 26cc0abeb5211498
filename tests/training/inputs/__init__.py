"""Tests of `training.inputs`."""

"""Tests of `training.rounds`."""

"""Tests of `training.adjudication`."""

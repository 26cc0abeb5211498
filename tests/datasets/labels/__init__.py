"""Tests of `datasets.labels`."""

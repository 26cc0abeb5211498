"""Tests of `datasets.pictures`."""

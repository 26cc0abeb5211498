"""Tests of `datasets.image`."""

"""Tests of `datasets.phantom`."""

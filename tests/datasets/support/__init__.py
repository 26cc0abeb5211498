"""Tests of `datasets.support`."""

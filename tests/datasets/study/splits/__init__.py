"""Tests of `datasets.study`."""

"""Tests of `curation.series`."""

"""Tests of `curation.slices`."""

"""Tests of `curation.registration`."""

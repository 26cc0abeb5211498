"""Tests of `curation.support`."""

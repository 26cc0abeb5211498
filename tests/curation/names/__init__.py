"""Tests of `curation.names`."""

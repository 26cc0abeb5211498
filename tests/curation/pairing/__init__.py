"""Tests of `curation.pairing`."""

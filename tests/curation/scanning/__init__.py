"""Tests of `curation.scanning`."""

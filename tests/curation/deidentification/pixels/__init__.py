"""Tests of `curation.deidentification.pixels`."""

"""Tests of `curation.deidentification`."""

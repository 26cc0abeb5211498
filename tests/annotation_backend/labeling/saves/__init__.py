"""Tests of `annotation_backend.labeling.saves`."""

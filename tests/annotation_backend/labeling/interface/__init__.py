"""Tests of `annotation_backend.labeling.interface`."""

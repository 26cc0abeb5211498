"""Tests of `annotation_backend.labeling.views`."""

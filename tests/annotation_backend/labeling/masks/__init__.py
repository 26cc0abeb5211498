"""Tests of `annotation_backend.labeling.masks`."""

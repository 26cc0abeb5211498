"""Tests of `annotation_backend.labeling.studio_server`."""

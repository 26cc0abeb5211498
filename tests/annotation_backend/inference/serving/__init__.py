"""Tests of `annotation_backend.inference.serving`."""

"""Tests of `annotation_backend.web`."""

"""Tests of `annotation_backend.supervision`."""

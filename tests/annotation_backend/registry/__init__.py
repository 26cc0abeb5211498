"""Tests of `annotation_backend.registry`."""

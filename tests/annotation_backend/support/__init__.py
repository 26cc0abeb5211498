"""Tests of `annotation_backend.support`."""

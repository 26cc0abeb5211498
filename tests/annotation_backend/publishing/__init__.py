"""Tests of `annotation_backend.publishing`."""

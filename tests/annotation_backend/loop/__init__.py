"""Tests of `annotation_backend.loop`."""

"""Tests of `annotation_backend.everywhere`."""

"""Tests of `annotation_backend.accounts`."""

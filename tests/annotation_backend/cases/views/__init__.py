"""Tests of `annotation_backend.cases.views`."""

"""Tests of `annotation_backend.cases.ingesting`."""

"""Tests of `annotation_backend.cases.registration`."""

"""Tests of `annotation_backend.learning.rounds`."""

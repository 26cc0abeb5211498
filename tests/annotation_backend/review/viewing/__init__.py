"""Tests of `annotation_backend.review.viewing`."""

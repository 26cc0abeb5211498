"""Tests of agreement, adjudication and control cases."""

"""Tests of what goes into a release."""

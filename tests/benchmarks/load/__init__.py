"""Tests of `benchmarks.load`."""

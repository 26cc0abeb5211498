"""Splits: which cases a model is tried on and which it may learn from, external cohorts, and the check for leaks."""

"""Predictions: loads the serving model and lets it draw on a case."""

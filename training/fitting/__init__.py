"""Fitting: how each method learns, one file a method."""

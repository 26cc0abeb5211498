"""Fitting: how each method learns, one file a method.

Imports `training.inputs`, `training.networks`, `training.prompts` and `training.segmenters`.
"""

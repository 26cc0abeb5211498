"""Fitting: how each method is trained, one file a method.

Imports `training.inputs`, `training.networks`, `training.prompts`, `training.segmenters` and `training.table`.
"""

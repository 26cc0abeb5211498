"""Fitting: how each method is trained, one file a method.

Imports `training.inputs`, `training.networks`, `training.pretrained`, `training.prompts`, `training.segmenters` and
`training.table`.
"""

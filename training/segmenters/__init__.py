"""Segmenters: one file a method, one interface (`segmenter.py`).

Imports `training.inputs`, `training.measures`, `training.networks` and `training.prompts`.
"""

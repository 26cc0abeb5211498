"""Segmenters: one file a method, one interface (`segmenter.py`), one way to load them (`loading.py`).

Imports `training.inputs`, `training.measures`, `training.networks` and `training.prompts`.
"""

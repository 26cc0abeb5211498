"""Segmenters that understand clicks, in 2D and 3D.

Imports `training.networks` and `training.prompts`.
"""

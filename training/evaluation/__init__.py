"""Segmenters tried with simulated users, measured, and reported on one page.

Imports `training.measures`, `training.prompts` and `training.segmenters`.
"""

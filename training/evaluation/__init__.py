"""Evaluation of segmenters with simulated users, and its report on one page.

Imports `training.measures`, `training.prompts` and `training.segmenters`.
"""

"""Segmenters tried with simulated users, measured, and reported on one page.

Imports `training.methods`, `training.segmenters`, `training.prompts` and `training.measures`.
"""

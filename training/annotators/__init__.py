"""Simulated annotators, who draw cases with strokes and prompts, and the study made with them.

Imports `training.measures`, `training.methods`, `training.prompts` and `training.segmenters`.
"""

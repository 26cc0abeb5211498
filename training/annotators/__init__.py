"""A simulated annotator who works cases through by strokes and prompts, and the study made of it.

Imports `training.measures`, `training.methods`, `training.prompts` and `training.segmenters`.
"""

"""Predictions on tasks: initial masks, answers to prompts, slice propagation, and pushing them to Label Studio.

Imports `labeling.interface`, `labeling.masks`, `labeling.models`, `labeling.saves`, `labeling.studio` and
`labeling.versions`.
"""

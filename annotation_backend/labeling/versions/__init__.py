"""The versions of a slice: decoded, compared, restored; which counts, and the mask that is assembled of those that do.

Imports `labeling.masks`, `labeling.models`, `labeling.saves` and `labeling.studio`.
"""

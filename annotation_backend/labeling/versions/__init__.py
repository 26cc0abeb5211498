"""The versions of a slice: decoded, compared, restored; the ones that count, and the mask assembled of them.

Imports `labeling.masks`, `labeling.models`, `labeling.saves` and `labeling.studio`.
"""

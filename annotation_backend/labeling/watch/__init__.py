"""Compares Label Studio with what we left there, again and again; records differences and mends them.

Imports `labeling.interface`, `labeling.models`, `labeling.saves`, `labeling.studio` and
`labeling.studio_door`.
"""

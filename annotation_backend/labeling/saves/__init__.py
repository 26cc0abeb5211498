"""Saves and deletions of Label Studio: read, stored, confirmed, reconciled.

Imports `labeling.models` and `labeling.studio`.
"""

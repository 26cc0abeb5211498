"""Saves and deletions of Label Studio: read, stored, confirmed, reconciled.

Imports `labeling.studio` and `labeling.models`.
"""

"""Judges a series by its headers: its kind, its role and its points in it.

Imports `curation.names` and `curation.scanning`.
"""

"""Removes or refuses data hidden in pixel data or beside it.

Imports nothing else of `curation.deidentification`.
"""

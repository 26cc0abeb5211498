"""Pixel data without what may hide in it or beside it.

Imports nothing else of `curation.deidentification`.
"""

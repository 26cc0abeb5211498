"""Reads patient, role, mask and sequence from the names of files and folders, and from series descriptions.

Imports nothing else of `curation`.
"""

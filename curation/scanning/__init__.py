"""Scans a folder of studies for series, volumes, masks and the table beside them.

Imports `curation.names`.
"""

"""Stored files beside the digests that were written down for them.

Imports `cases.models`.
"""

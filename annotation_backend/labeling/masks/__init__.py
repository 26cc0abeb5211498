"""Masks in Label Studio's formats: brush, bitmask, regions, outlines.

Imports nothing else of `labeling`.
"""

"""Segmenters prompted by clicks, in 2D and 3D.

Imports nothing else of `training.segmenters`.
"""

"""Volumes to pictures for drawing and training, and drawn pictures to a mask.

Imports `curation.registration`.
"""

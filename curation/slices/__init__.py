"""Exports volumes as pictures for drawing and training, and assembles drawn pictures into a mask.

Imports `curation.registration`.
"""

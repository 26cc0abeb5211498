"""Corrections by who reviews a mask: drawn in the viewer, or made in Slicer or ITK-SNAP and given back as a file.

Imports `review.viewing`.
"""

"""Slices of a grid as pictures, and a picture's percent as millimetres.

Imports `datasets.image`.
"""

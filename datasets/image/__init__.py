"""Grid, volume and mask, and computations on them.

Imports nothing else of `datasets`.
"""

"""Grid, volume and mask, and what is computed on them.

Imports nothing else of `datasets`.
"""

"""Grid, volume and mask, and what is computed on them.

Imports nothing but the ground floor (`errors`, `finding`, `files`, `gate`).
"""

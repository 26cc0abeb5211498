"""The meaning of a label map's values.

Imports `datasets.image`.
"""

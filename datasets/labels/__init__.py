"""What the values of a label map mean.

Imports `datasets.image`.
"""

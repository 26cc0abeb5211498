"""A synthetic cohort as DICOM whose true masks and misalignment are known.

Imports `datasets.image` and `datasets.study`.
"""

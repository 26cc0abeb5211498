"""A synthetic cohort as DICOM whose true masks and misalignment are known.

Imports `datasets.dicom`, `datasets.dicom_masks`, `datasets.dicom_series`, `datasets.image` and `datasets.study`.
"""

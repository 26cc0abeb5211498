"""The files of one series as one volume.

Imports `datasets.dicom`, `datasets.dicom_pixels` and `datasets.image`.
"""

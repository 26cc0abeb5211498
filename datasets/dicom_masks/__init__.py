"""Structure sets and segmentations: masks from DICOM and back.

Imports `datasets.dicom`, `datasets.dicom_pixels`, `datasets.dicom_series` and `datasets.image`.
"""

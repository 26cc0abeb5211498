"""Structure sets and segmentations: masks from DICOM and back.

Imports `datasets.dicom`, `datasets.dicom_series` and `datasets.image`.
"""

"""Structure sets and segmentations: masks from DICOM and back.

Imports `datasets.dicom_series`, `datasets.dicom` and `datasets.image`.
"""

"""Tests of `datasets.dicom_pixels`."""

"""Tests of `datasets.dicom_series`."""

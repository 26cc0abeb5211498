"""Tests of `datasets.dicom_masks`."""

"""Tests of `datasets.dicom`."""

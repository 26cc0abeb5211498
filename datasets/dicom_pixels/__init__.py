"""Pixels of DICOM files: which bits are their values, decompressed in a process of its own.

Imports `datasets.dicom`.
"""

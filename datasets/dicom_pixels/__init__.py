"""Pixels of DICOM files: their stored bits, and decompression in a child process.

Imports `datasets.dicom`.
"""

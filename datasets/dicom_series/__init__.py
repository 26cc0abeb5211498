"""The files of one series as one volume.

Imports `datasets.dicom` and `datasets.image`.
"""

"""One DICOM file: its skeleton checked, read, and what its header says.

Imports `datasets.image` at most.
"""

"""One DICOM file: its skeleton checked, read, and what its header says.

Imports nothing else of `datasets`.
"""

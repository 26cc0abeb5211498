"""One DICOM file: its structure checked, its header read.

Imports nothing else of `datasets`.
"""

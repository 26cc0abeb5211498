"""A release in the layouts of other programs: one file a format, `formats` lists them.

`source` verifies and reads the release whatever its schema, `selection` says what is left out, `export` writes whole or
not at all, and `dicom` holds what DICOM SEG needs.

Imports `datasets.release.correcting` and `datasets.release.describing`.
"""

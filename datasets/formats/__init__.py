"""NIfTI, NRRD and MetaImage files in and out.

Imports `datasets.labels` and `datasets.image`.
"""

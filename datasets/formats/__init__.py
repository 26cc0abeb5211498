"""NIfTI, NRRD and MetaImage files in and out.

Imports `datasets.image` and `datasets.labels`.
"""

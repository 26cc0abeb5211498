"""Cases, cohorts and folds of a study.

Imports `datasets.dicom`, `datasets.formats`, `datasets.image`, `datasets.labels` and `datasets.pictures`.
"""

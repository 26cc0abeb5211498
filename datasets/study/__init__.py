"""Cases, cohorts and folds of a study.

Imports `datasets.formats`, `datasets.image` and `datasets.labels`.
"""

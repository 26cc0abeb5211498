"""Cases, cohorts and folds: what a study is made of.

Imports `datasets.formats`, `datasets.image` and `datasets.labels`.
"""

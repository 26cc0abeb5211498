"""Pairs the T1 and the T2 of each patient, and finds the masks that belong to them.

Imports `curation.names`, `curation.scanning` and `curation.series`.
"""

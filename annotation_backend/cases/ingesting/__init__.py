"""From a folder of studies to patients and cases: chosen series, pseudonyms and codes.

Imports `cases.models` and `cases.workers`.
"""

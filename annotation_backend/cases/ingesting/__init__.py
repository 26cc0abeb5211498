"""From a folder of studies to patients and cases: which series, whose, and under which codes.

Imports `cases.models` and `cases.workers`.
"""

"""Pages and pictures of cases and patients.

Imports `cases.ingesting`, `cases.models`, `cases.registration`, `cases.stored` and `cases.workers`.
"""

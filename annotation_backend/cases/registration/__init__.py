"""Registering cases, people's verdicts on it, and its products: volumes on one grid, pictures, transferred masks.

Imports `cases.models`, `cases.stored` and `cases.workers`.
"""

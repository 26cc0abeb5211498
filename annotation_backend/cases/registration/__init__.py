"""Registering cases, people's verdicts on it, and what is made of it: volumes on one grid, pictures, transferred masks.

Imports `cases.models`, `cases.stored` and `cases.workers`.
"""

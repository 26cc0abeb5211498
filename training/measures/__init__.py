"""Measures of agreement between masks, and statistics of them.

Imports nothing else of `training`.
"""

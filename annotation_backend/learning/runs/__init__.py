"""Runs: what a training records of itself, its figures on held-out cases, models compared, promoted and traced.

Imports `learning.examples`.
"""

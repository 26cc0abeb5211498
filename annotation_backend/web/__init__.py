"""Middleware and worker that every page and picture passes through: refusals, patience, times, the log.

Imports `cases` at most.
"""

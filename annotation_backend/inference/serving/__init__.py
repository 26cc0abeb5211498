"""Which model answers, what a process holds ready of it, and how many may ask at once.

Imports nothing else of `inference`.
"""

"""The serving models: which one answers, its cache in each process, and a limit on requests at once.

Imports nothing else of `inference`.
"""

"""How well masks agree, and statistics of it.

Imports nothing else of `training`.
"""

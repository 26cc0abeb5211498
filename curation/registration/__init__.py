"""An image brought onto another: the search, the decision, the checks.

Imports nothing else of `curation`.
"""

"""T1 brought onto T2: the search, the decision, the checks.

Imports nothing else of `curation`.
"""

"""What a series is (its kind, its role, how well it would do) by what its headers say.

Imports `curation.names` and `curation.scanning`.
"""

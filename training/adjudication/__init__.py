"""What several readings of one case have in common and where they differ: proposals, regions, merging.

Imports `training.measures`.
"""

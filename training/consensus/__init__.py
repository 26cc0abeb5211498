"""What several masks of one case have in common and where they differ: proposals, regions of disagreement, merging.

Imports `training.measures`.
"""

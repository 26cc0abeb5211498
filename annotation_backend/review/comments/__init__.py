"""Comments pinned to voxels of a mask: said by reviewers, answered and closed by annotators, shown in the task.

Imports `review.viewing`.
"""

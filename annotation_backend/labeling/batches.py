"""The former module of a job: jobs that were queued before it moved store this path.

May go once no installation of before the move is upgraded any more.
"""

from annotation_backend.labeling.predictions.jobs import push_slices

__all__ = ["push_slices"]

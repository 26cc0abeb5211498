"""Jobs that wait since before their module moved are found here: a waiting job stores where it was.

May go once no installation of before the move is upgraded any more.
"""

from annotation_backend.labeling.predictions.jobs import push_slices

__all__ = ["push_slices"]

"""2.5D: a slice with its two neighbours, of each image, the input of networks like MSTT-199's."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def triplet_indices(indices: Sequence[int], count: int) -> NDArray[np.intp]:
    """The slices z-1, z, z+1 of each slice z; beyond the first and the last the edge slice stands in (MSTT-199).

    Args:
        indices: N slices from 0 to `count` - 1.
        count: Slices in the stack.

    Returns:
        (N, 3) indices into the stack.
    """
    around = np.asarray(indices, dtype=np.intp)[:, None] + np.array([-1, 0, 1])
    return np.clip(around, 0, count - 1)

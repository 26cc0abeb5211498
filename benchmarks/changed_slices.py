"""Changed slices: finds the slices that a click changed, so that only these are encoded and sent again."""

import numpy as np

from datasets.errors import GeometryError
from datasets.image.mask import Inside


def changed_slices(before: Inside | None, after: Inside, axis: int) -> tuple[int, ...]:
    """The slices on which two masks of one grid differ.

    Reads both once, in the order in which they lie in memory, and makes no copy of either.

    Args:
        before: Boolean (i, j, k); None if nothing was shown yet, which counts as an empty mask.
        after: Boolean (i, j, k).
        axis: The axis (0, 1, 2) that runs through the slices.

    Returns:
        Their indices along `axis`, ascending.

    Raises:
        GeometryError: The masks differ in shape.
    """
    if before is not None and before.shape != after.shape:
        raise GeometryError(
            "mask-shapes",
            f"Expected two masks of one shape, got {before.shape} and {after.shape}.",
            remedy="Compare masks of one case only.",
        )
    outermost = int(np.argmax(np.abs(after.strides)))
    first = np.moveaxis(after, outermost, 0)
    second = None if before is None else np.moveaxis(before, outermost, 0)
    # Where the outermost axis counts the slices, a layer is a slice; else the slices lie across every layer.
    across = axis if axis > outermost else axis + 1
    changed = np.zeros(after.shape[axis], dtype=np.bool_)
    for index, layer in enumerate(first):
        differs = layer if second is None else layer != second[index]
        if axis == outermost:
            changed[index] = differs.any()
        else:
            changed |= differs.any(axis=2 - across)
    return tuple(int(index) for index in np.flatnonzero(changed))

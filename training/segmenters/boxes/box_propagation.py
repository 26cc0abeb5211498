"""Slice propagation of a box with depth, from its middle outwards: the mask of one slice gives the box of the next.

The box that a person draws around a tumour in 3D fits its widest slices and is too large for the others. The published
recipe therefore draws the middle slice with it and walks on, up to the last slice, then down to the first: each box is
that of the mask before, widened a little; after an empty mask the drawn box is used again.

Source: Ma et al., MedSAM, branch LiteMedSAM (CVPR24_LiteMedSAM_infer.py).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.prompts.picture_boxes import DeepBox, PictureBox

NEXT_BOX_MARGIN = 3
"""Pixels by which the next box is larger than the mask on each side, on a picture whose longer side is 256."""

_SIDE = 256


@dataclass(frozen=True, eq=False)
class BoxPrediction:
    """A network's answer on a slice.

    Args:
        probability: float32 (height, width) in 0..1.
        quality: The network's own estimate of the mask's IoU in 0..1.
    """

    probability: NDArray[np.float32]
    quality: float


def propagate_from_middle(
    deep: DeepBox, wanted: Iterable[int], draw: Callable[[int, PictureBox], BoxPrediction]
) -> dict[int, BoxPrediction]:
    """Draws the wanted slices of a box with depth, and those between them and its middle.

    Args:
        deep: The box.
        wanted: Slice indices; those beyond the box are not drawn.
        draw: Draws one slice with one box.

    Returns:
        The answers by slice.
    """
    inside = [index for index in wanted if deep.first <= index <= deep.last]
    if not inside:
        return {}
    middle = deep.middle
    drawn = {middle: draw(middle, deep.box)}
    for path in (range(middle + 1, max(inside) + 1), range(middle - 1, min(inside) - 1, -1)):
        before = drawn[middle]
        for index in path:
            before = draw(index, box_around_mask(before.probability > 0.5) or deep.box)
            drawn[index] = before
    return drawn


def box_around_mask(mask: NDArray[np.bool_]) -> PictureBox | None:
    """The box of a mask, widened by `NEXT_BOX_MARGIN`; None if the mask is empty.

    Args:
        mask: bool (height, width).

    Returns:
        In pixels of the mask, found on a copy whose longer side is 256, as published.
    """
    import cv2

    scale = _SIDE / max(mask.shape)
    height, width = (max(int(side * scale + 0.5), 1) for side in mask.shape)
    small = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA)
    rows, columns = np.flatnonzero(small.any(axis=1)), np.flatnonzero(small.any(axis=0))
    if rows.size == 0:
        return None
    first = np.maximum(np.array([rows[0], columns[0]]) - NEXT_BOX_MARGIN, 0) / scale
    last = np.minimum(np.array([rows[-1], columns[-1]]) + NEXT_BOX_MARGIN, _SIDE) / scale
    return PictureBox(float(first[0]), float(first[1]), float(last[0]), float(last[1]))

"""Assembly: drawn slices, in picture orientation, become one mask volume on the case's grid."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask import DEFAULT_LABELS, Inside, Mask
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane

DrawnSlice = NDArray[np.bool_] | NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class AssembledLabels:
    """Drawn labels as one label map, and what of them is not in it.

    Args:
        mask: The label map.
        overlap: Number of voxels that several labels were drawn on.
        covered: Voxels by (the label that counts there, a label that was drawn there too).
        unknown: Voxels of each label that the label map has no value for.
    """

    mask: Mask
    overlap: int
    covered: Mapping[tuple[str, str], int]
    unknown: Mapping[str, int]


def assemble_labels(
    slices: Iterable[tuple[int, Mapping[str, Inside]]], plane: PicturePlane, *, labels: Mapping[int, str]
) -> AssembledLabels:
    """Makes one label map of all that was drawn, label by label; the one way from drawn regions to a volume.

    Where several labels were drawn on one voxel, the one that stands first in `labels` counts: an order that people
    chose. What is lost by it is counted, and so is what was drawn under a name that `labels` lacks.

    Args:
        slices: Index along the plane's slice axis, and by label the drawn pixels, boolean (height, width).
        plane: How the pictures were cut from the grid.
        labels: Value to name, the one that counts most first.

    Raises:
        RejectedInput: A picture of another size, or an index without a slice.
    """
    pictures: dict[int, NDArray[np.uint8]] = {}
    covered: Counter[tuple[str, str]] = Counter()
    unknown: Counter[str] = Counter()
    overlap = 0
    for index, drawn in slices:
        picture = pictures[index] = np.zeros(plane.shape, np.uint8)
        met = np.zeros(plane.shape, np.bool_)
        for value, name in labels.items():
            inside = drawn.get(name)
            if inside is None:
                continue
            taken = picture[inside]
            for other, count in zip(*np.unique(taken[taken > 0], return_counts=True), strict=True):
                covered[labels[int(other)], name] += int(count)
            met |= inside & (picture > 0)
            picture[inside & (picture == 0)] = value
        overlap += int(np.count_nonzero(met))
        unknown.update({name: int(np.count_nonzero(drawn[name])) for name in set(drawn) - set(labels.values())})
    mask = assemble_mask(pictures, plane, plane.grid, labels=labels)
    return AssembledLabels(mask, overlap, dict(covered), dict(unknown))


def assemble_mask(
    slices: Mapping[int, DrawnSlice], plane: PicturePlane, grid: Grid, *, labels: Mapping[int, str] = DEFAULT_LABELS
) -> Mask:
    """Puts drawn slices into a mask volume; slices that nobody drew on stay background.

    Args:
        slices: By index along the plane's slice axis: a (height, width) picture, either boolean (inside the only
            label) or uint8 (0 and the values of `labels`).
        plane: How the pictures were cut from the grid.
        grid: The case's grid; must be the plane's.
        labels: Name of each value that may occur.

    Returns:
        The mask on `grid`.

    Raises:
        GeometryError: The plane is of another grid.
        RejectedInput: A picture of another size, an index without a slice, or a value without a label.
    """
    grid.require_match(plane.grid, what="Case and the plane its slices were cut in")
    data = np.zeros(grid.shape, dtype=np.uint8)
    for index in sorted(slices):
        picture = _labelled(np.asarray(slices[index]), labels, index=index)
        plane.from_picture(picture, into=data, index=index)
    return Mask(data, grid, labels)


def _labelled(drawn: NDArray[np.generic], labels: Mapping[int, str], *, index: int) -> NDArray[np.uint8]:
    """The picture as label values, after they were checked."""
    if drawn.dtype == np.bool_:
        if len(labels) != 1:
            raise _unfit(index, f"an inside-or-outside picture, which cannot say which of {len(labels)} labels it is")
        return drawn.astype(np.uint8) * np.uint8(next(iter(labels)))
    if drawn.dtype != np.uint8:
        raise _unfit(index, f"values of type {drawn.dtype}")
    values = drawn.view(np.uint8)
    unknown = sorted({int(value) for value in np.unique(values)} - {0, *labels})
    if unknown:
        raise _unfit(index, f"the values {', '.join(map(str, unknown[:5]))}, which no label has")
    return values


def _unfit(index: int, got: str) -> RejectedInput:
    return RejectedInput(
        "slice-labels",
        f"Expected slice {index} to hold 0 and the values of the mask's labels as uint8, got {got}.",
        remedy="Give each drawn label its value before the slices are assembled.",
    )

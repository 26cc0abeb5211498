"""Images and points of a request, with axes to right, anterior, superior, for all prompted methods."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.orientation import as_ras
from datasets.image.volume import Grid, Volume
from training.prompts.prompt import PointMm
from training.segmenters.segmenter import SegmentationRequest

_EDGE = 1e-6
"""Voxels by which rounding may move a point past the image's outer edge."""

_DIGITS = 6
"""Decimals of a voxel to which a point in millimetres is rounded."""


def images_of(request: SegmentationRequest, kinds: Iterable[str]) -> dict[str, Volume]:
    """The images of some kinds, in their order, all on one grid.

    Raises:
        RejectedInput: One of them is missing.
        GeometryError: They lie on different grids.
    """
    found: dict[str, Volume] = {}
    for kind in kinds:
        if kind not in request.volumes:
            raise RejectedInput(
                "sequence-missing",
                f"The case has no image {kind}, which the model needs.",
                remedy=f"Give the volume of {kind}, or choose a model that was trained on other images.",
            )
        found[kind] = request.volumes[kind]
        next(iter(found.values())).grid.require_match(found[kind].grid, what="The images of a request")
    return found


def ras_images(request: SegmentationRequest, kinds: Iterable[str]) -> tuple[list[NDArray[np.generic]], Grid]:
    """The images of some kinds, reoriented, and their grid.

    Raises:
        RejectedInput: One of them is missing.
        GeometryError: They lie on different grids.
    """
    turned = [as_ras(volume) for volume in images_of(request, kinds).values()]
    return [volume.data for volume in turned], turned[0].grid


def points_in(points: Sequence[PointMm], grid: Grid) -> NDArray[np.float64]:
    """Points in millimetres as fractional voxels (N, 3) of `grid`.

    Raises:
        RejectedInput: One is not finite or lies outside the image.
    """
    found = np.array(points, dtype=np.float64).reshape(-1, 3) if _are_triples(points) else np.full((1, 3), np.nan)
    if not np.isfinite(found).all():
        raise RejectedInput(
            "prompt-not-finite",
            "A prompt is not three finite numbers in millimetres.",
            remedy="Place the prompt again.",
        )
    with np.errstate(over="ignore", invalid="ignore"):  # a point at the end of the number range is refused below
        voxels = grid.to_voxel(found)
    if not ((voxels >= -0.5 - _EDGE) & (voxels <= np.array(grid.shape) - 0.5 + _EDGE)).all():
        raise RejectedInput(
            "prompt-outside",
            "A prompt lies outside the image.",
            remedy="Place it on the image. Prompts are RAS+ millimetres, not voxel indices; "
            "x and y from DICOM change their signs.",
        )
    # A rounding error next to a whole voxel would move a box by a voxel, and a click halfway between two to either.
    return np.clip(np.round(voxels, _DIGITS), 0, np.array(grid.shape) - 1)


def _are_triples(points: Sequence[PointMm]) -> bool:
    return all(len(point) == 3 for point in points)

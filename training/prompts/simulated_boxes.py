"""Boxes that a simulated user draws around the tumour on each slice, or one box with depth.

LiteMedSAM's boxes are the tumour's extent, widened on each side by whole pixels of a picture whose longer side is 256:
0 to 5 at random in training (`TRAINING_JITTER`), 5 when it is tested (`TEST_SHIFT`). Drawn on other pictures, a margin
is scaled and rounded to their pixels. Edges run along the pixels' edges, as a person draws them, and end at the
picture's border; `picture_boxes.py` reads the same whole pixels back.

Source: MedSAM, branch LiteMedSAM. Its preprocessing drops specks, hence the least sizes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.picture_boxes import PictureBox
from training.prompts.prompt import Box

LEAST_PIXELS = 10
"""Regions of a slice with fewer pixels get no box (MedSAM)."""

LEAST_VOXELS = 100
"""Regions of a volume with fewer voxels get no box with depth (MedSAM)."""

_PICTURE_SIDE = 256


@dataclass(frozen=True)
class BoxMargin:
    """By how much a box is too large on each side, in pixels of a picture whose longer side is 256.

    Raises:
        RejectedInput: The margin is negative, or its ends are swapped.
    """

    least: int
    most: int

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most:
            raise RejectedInput(
                "box-margin",
                f"Expected a smallest margin of 0 or more and a largest no smaller, got {self.least} and {self.most}.",
                remedy="Give the smallest and the largest margin in pixels.",
            )

    def drawn(self, shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.int64]:
        """Margins above, left, below and right on a picture (height, width), in its own whole pixels."""
        at_256 = random.integers(self.least, self.most, size=4, endpoint=True)
        return np.rint(at_256 * max(shape) / _PICTURE_SIDE).astype(np.int64)


TIGHT = BoxMargin(0, 0)
TRAINING_JITTER = BoxMargin(0, 5)
TEST_SHIFT = BoxMargin(5, 5)


def slice_boxes(
    mask: NDArray[np.bool_],
    pictures: PicturePlane,
    random: np.random.Generator,
    *,
    margin: BoxMargin = TEST_SHIFT,
    least_pixels: int = LEAST_PIXELS,
) -> tuple[Box, ...]:
    """A flat box on each slice that holds enough tumour, in the order of the slices.

    Args:
        mask: bool on the pictures' grid.
        pictures: The plane of the slices.
        random: Generator of the margins; not used if the margin is fixed.
        margin: Margin of the boxes.
        least_pixels: Regions of a slice (pixels that touch, also at a corner) below this size are ignored.

    Raises:
        RejectedInput: The mask has another shape, or no slice holds enough tumour.
    """
    boxes = []
    for index, picture in enumerate(pictures.stack(mask)):
        if picture.any() and (region := _without_specks(picture, least_pixels)).any():
            drawn = _widened(_extent(region), margin.drawn(pictures.shape, random), pictures.shape)
            boxes.append(_box(drawn, (index, index), pictures))
    if not boxes:
        _refuse_small(f"{least_pixels} pixels on a slice")
    return tuple(boxes)


def box_with_depth(
    mask: NDArray[np.bool_],
    pictures: PicturePlane,
    random: np.random.Generator,
    *,
    margin: BoxMargin = TEST_SHIFT,
    least_voxels: int = LEAST_VOXELS,
) -> Box:
    """One box around the whole tumour, from its first slice to its last; wider than the tumour on the slices only.

    A tumour on one slice gives a flat box, which `picture_boxes.py` cannot tell from one drawn on that slice.

    Args:
        mask: bool on the pictures' grid.
        pictures: The plane of the slices.
        random: Generator of the margins; not used if the margin is fixed.
        margin: Margin of the box.
        least_voxels: Regions of the volume (voxels that touch, also at a corner) below this size are ignored.

    Raises:
        RejectedInput: The mask has another shape, or no region is large enough.
    """
    region = _without_specks(pictures.stack(mask), least_voxels)
    if not region.any():
        _refuse_small(f"{least_voxels} voxels")
    slices = np.flatnonzero(region.any(axis=(1, 2)))
    drawn = _widened(_extent(np.asarray(region.any(axis=0))), margin.drawn(pictures.shape, random), pictures.shape)
    return _box(drawn, (int(slices[0]), int(slices[-1])), pictures)


def _without_specks(region: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """The region without connected parts of fewer than `least` elements."""
    if least <= 1:
        return region
    from scipy.ndimage import label

    parts, count = label(region, structure=np.ones((3,) * region.ndim))
    kept = np.bincount(parts.ravel(), minlength=count + 1) >= least
    kept[0] = False
    return np.asarray(kept[parts])


def _extent(region: NDArray[np.bool_]) -> PictureBox:
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return PictureBox(int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1]))


def _widened(box: PictureBox, margins: NDArray[np.int64], shape: tuple[int, int]) -> PictureBox:
    above, left, below, right = (int(margin) for margin in margins)
    return PictureBox(
        max(box.top - above, 0),
        max(box.left - left, 0),
        min(box.bottom + below, shape[0] - 1),
        min(box.right + right, shape[1] - 1),
    )


def _box(box: PictureBox, slices: tuple[int, int], pictures: PicturePlane) -> Box:
    """The box in millimetres, from the outer edges of its corner pixels; through the centres of its outer slices."""
    first = pictures.pixel_to_voxel((box.left, box.top), index=slices[0])
    last = pictures.pixel_to_voxel((box.right + 1, box.bottom + 1), index=slices[1])
    (ax, ay, az), (bx, by, bz) = pictures.grid.to_world([first, last])
    return Box((float(ax), float(ay), float(az)), (float(bx), float(by), float(bz)))


def _refuse_small(least: str) -> None:
    raise RejectedInput(
        "box-small-tumour",
        f"No region of the tumour has {least}, the least that gets a box.",
        remedy="Lower the limit, or leave out cases without tumour.",
    )

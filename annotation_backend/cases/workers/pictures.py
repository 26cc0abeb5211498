"""Pictures that let a person judge a case: thumbnails, and an image on another slice by slice. No records."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curation.slices.checkerboard import alternating
from datasets.formats.nifti import read_volume
from datasets.image.intensity import Window, drawing_window, to_uint8
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.pictures.png_encoding import encode_png

KINDS = ("moving", "fixed", "checkerboard", "edges")
"""Kinds of pictures of a registration: each image, both in alternating tiles, the moved one's edges on the other."""

THUMBNAIL_PIXELS = 160
EDGE_COLOUR = (232, 89, 12)

_EDGE_SHARE = 0.12
"""Share of a slice's pixels, those of the steepest rise, that are drawn as edges."""

_DARK = 8.0
"""Grey that is added before edges are compared by their ratio, so that noise in the air makes none."""

_PAIRS_IN_MEMORY = 2


Shown = tuple[Path, str]
"""A NIfTI file on the case's grid, and its modality."""


def registration_picture(moving: Shown, fixed: Shown, *, kind: str, index: int) -> bytes:
    """PNG bytes of one slice of a registered pair.

    Args:
        moving: The image that was moved.
        fixed: The image that stayed.
        kind: One of `KINDS`.
        index: Voxel index along the slice axis.

    Raises:
        RejectedInput: There is no such slice, or a file is damaged.
    """
    (first, first_window), (second, second_window) = _read(*moving), _read(*fixed)
    plane = PicturePlane.of(second.grid)
    plane.indices([index])
    moved = to_uint8(plane.to_picture(first.data, index), window=first_window)
    still = to_uint8(plane.to_picture(second.data, index), window=second_window)
    if kind == "moving":
        return encode_png(moved)
    if kind == "fixed":
        return encode_png(still)
    return encode_png(alternating(moved, still) if kind == "checkerboard" else _with_edges(still, moved))


def thumbnail(volume: Volume, modality: str = "MR") -> bytes:
    """A small grey PNG of the middle slice, the patient's proportions kept."""
    return small_png(_middle(volume, drawing_window(volume.data, modality=modality)), _pixel_size(volume))


def board_thumbnail(moved: Volume, still: Volume, *, windows: tuple[Window, Window]) -> bytes:
    """A small PNG of the middle slices of two images on one grid, in alternating tiles."""
    still.grid.require_match(moved.grid, what="The two images of a checkerboard")
    middles = [_middle(volume, window) for volume, window in zip((moved, still), windows, strict=True)]
    return small_png(alternating(*middles), _pixel_size(still))


def small_png(picture: NDArray[np.uint8], pixel_size: tuple[float, float]) -> bytes:
    """PNG bytes, scaled so that the longer side has `THUMBNAIL_PIXELS`.

    Args:
        picture: (height, width) grey.
        pixel_size: Millimetres down and across.
    """
    height, width = (count * size for count, size in zip(picture.shape, pixel_size, strict=True))
    scale = THUMBNAIL_PIXELS / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return encode_png(np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.BOX)))


def shown_size(plane: PicturePlane, *, across: int = 480) -> tuple[int, int]:
    """Width and height in pixels that show a slice in the patient's proportions."""
    down_mm = plane.height * plane.grid.spacing[plane.row_axis]
    across_mm = plane.width * plane.grid.spacing[plane.column_axis]
    return across, max(1, round(across * down_mm / across_mm))


@lru_cache(maxsize=2 * _PAIRS_IN_MEMORY)
def _read(path: Path, modality: str) -> tuple[Volume, Window]:
    """Registered volumes lie under a name made of their content's digest and never change, so a path is a good key."""
    volume = read_volume(path)
    return volume, drawing_window(volume.data, modality=modality)


def _middle(volume: Volume, window: Window) -> NDArray[np.uint8]:
    plane = PicturePlane.of(volume.grid)
    return to_uint8(plane.to_picture(volume.data, plane.slice_count // 2), window=window)


def _pixel_size(volume: Volume) -> tuple[float, float]:
    plane = PicturePlane.of(volume.grid)
    return volume.grid.spacing[plane.row_axis], volume.grid.spacing[plane.column_axis]


def _with_edges(grey: NDArray[np.uint8], edges_of: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width, 3): a grey picture with another's edges in colour."""
    coloured = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    if min(grey.shape) > 2:
        steepness = np.hypot(*np.gradient(np.log(_smoothed(edges_of) + _DARK)))
        coloured[(steepness > 0) & (steepness >= np.quantile(steepness, 1 - _EDGE_SHARE))] = EDGE_COLOUR
    return coloured


def _smoothed(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Means of 3 x 3 pixels, so that noise makes no edges."""
    padded = np.pad(picture.astype(np.float64), 1, mode="edge")
    height, width = picture.shape
    return np.mean([padded[i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=0)

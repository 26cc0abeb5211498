"""Pictures that let a person judge a registration at a glance."""

import numpy as np
from numpy.typing import NDArray

from datasets.image.intensity import Window, percentile_window, to_uint8
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane
from datasets.pictures.png_encoding import encode_png

TILES_ACROSS = 8
"""Tiles along the longer side of a slice: large enough to hold an edge, small enough to have many to compare."""

_GAP_PIXELS = 4
_GAP_GREY = 128


def checkerboard(
    first: Volume,
    second: Volume,
    *,
    count: int = 3,
    tiles: int = TILES_ACROSS,
    plane: AnatomicalPlane = AnatomicalPlane.AXIAL,
    windows: tuple[Window, Window] | None = None,
) -> bytes:
    """Slices of two images in alternating tiles, side by side: edges that run on across tiles are aligned.

    Args:
        first: Image in the upper left tile.
        second: Image on the same grid.
        count: How many slices, evenly spread; the middle one is among them when odd.
        tiles: Tiles along the longer side.
        plane: The plane that is shown.
        windows: Intensities that become black and white, of each image; None for those of MR.

    Returns:
        A grey PNG; the same images give the same bytes.

    Raises:
        GeometryError: The images lie on different grids.
    """
    first.grid.require_match(second.grid, what="The two images of a checkerboard")
    pictures = PicturePlane.of(first.grid, anatomical=plane)
    windows = windows or (percentile_window(first.data), percentile_window(second.data))
    boards = []
    for index in spread(pictures.slice_count, count):
        one, other = (
            to_uint8(pictures.to_picture(volume.data, index), window=window)
            for volume, window in zip((first, second), windows, strict=True)
        )
        boards.append(alternating(one, other, tiles=tiles))
    return encode_png(_side_by_side(boards))


def spread(size: int, count: int) -> list[int]:
    """`count` indices spread evenly over 0..size - 1, without the ends; fewer where there are fewer."""
    places = (np.arange(count) + 1) * size / (count + 1)
    return sorted({int(place) for place in np.clip(places, 0, size - 1)})


def alternating(first: NDArray[np.uint8], second: NDArray[np.uint8], *, tiles: int = TILES_ACROSS) -> NDArray[np.uint8]:
    """Two pictures (height, width) of one size in alternating tiles, `tiles` along the longer side, the first first."""
    side = max(1.0, max(first.shape) / tiles)
    rows, columns = ((np.arange(size) // side).astype(int) for size in first.shape)
    return np.where((rows[:, np.newaxis] + columns) % 2 == 0, first, second)


def _side_by_side(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    gap = np.full((pictures[0].shape[0], _GAP_PIXELS), _GAP_GREY, dtype=np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.hstack(parts[1:])

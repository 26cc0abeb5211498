"""One slice of an image with the outlines of masks, cut to what the masks hold there."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.image.intensity import drawing_window, to_uint8
from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane

_MARGIN_MM = 15.0
_DASH = 6
"""Pixels of a dash, about."""

_WIDTH = 320
"""Pixels across a picture: two outlines of one pixel are told apart."""


@dataclass(frozen=True, eq=False)
class Outline:
    """The outline of a mask.

    Args:
        inside: bool of the image's shape.
        colour: Red, green and blue, 0 to 255.
        is_dashed: Whether it is dashed, so that two differ without colour.
    """

    inside: Inside
    colour: tuple[int, int, int]
    is_dashed: bool = False


@dataclass(frozen=True)
class OutlinedSlice:
    """A picture.

    Args:
        png: The file's content.
        slice_index: The slice that it shows.
    """

    png: bytes
    slice_index: int

    @property
    def data_uri(self) -> str:
        """The picture as an address that needs no file."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


def outlined_slice(image: Volume, modality: str, outlines: Sequence[Outline], *, index: int) -> OutlinedSlice:
    """Draws a slice in the window that annotators draw on, each outline over those before it.

    Args:
        image: The image.
        modality: As in DICOM, for the window.
        outlines: What is drawn; where none of them holds a voxel in the slice, it is shown whole.
        index: The slice, along the axis of `PicturePlane.of`.
    """
    from PIL import Image

    plane = PicturePlane.of(image.grid)
    grey = to_uint8(plane.to_picture(image.data, index), window=drawing_window(image.data, modality=modality))
    insides = [plane.to_picture(outline.inside, index) for outline in outlines]
    window = _window(insides, plane)
    height_mm, width_mm = plane.pixel_spacing_mm
    rows, columns = grey[window].shape
    size = (_WIDTH, max(1, round(_WIDTH * rows * height_mm / (columns * width_mm))))
    picture = Image.fromarray(grey[window]).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    pixels: NDArray[np.uint8] = np.array(picture)
    for inside, outline in zip(insides, outlines, strict=True):
        rim = _rim(np.array(Image.fromarray(inside[window]).resize(size, Image.Resampling.NEAREST)))
        pixels[rim & _dashes(rim.shape) if outline.is_dashed else rim] = outline.colour
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", optimize=True)
    return OutlinedSlice(stream.getvalue(), index)


def fullest_slice(inside: Inside, plane: PicturePlane) -> int:
    """The slice in which a mask holds the most voxels; the first of several.

    Args:
        inside: bool of the grid's shape.
        plane: How the grid is cut.
    """
    others = tuple(axis for axis in range(3) if axis != plane.slice_axis)
    return int(inside.sum(axis=others).argmax())


def _window(insides: Sequence[Inside], plane: PicturePlane) -> tuple[slice, ...]:
    whole = (slice(0, plane.height), slice(0, plane.width))
    box = (mask_box(np.logical_or.reduce(insides)) if insides else None) or whole
    margins = [round(_MARGIN_MM / spacing) for spacing in plane.pixel_spacing_mm]
    return tuple(
        slice(max(0, along.start - margin), min(size, along.stop + margin))
        for along, margin, size in zip(box, margins, plane.shape, strict=True)
    )


def _rim(inside: Inside) -> Inside:
    """Pixels inside with a neighbour outside."""
    around = np.pad(inside, 1)
    core = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    rim: Inside = inside & ~core
    return rim


def _dashes(shape: tuple[int, ...]) -> Inside:
    """Diagonal stripes, which cut an outline in whatever direction into dashes."""
    rows, columns = np.indices(shape)
    found: Inside = ((rows + 2 * columns) // _DASH) % 2 == 0
    return found

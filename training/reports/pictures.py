"""Pictures of cases with both outlines: the slice with most of the reference, cut to what both masks hold."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.image.intensity import drawing_window, to_uint8
from datasets.image.mask import Inside, Mask
from datasets.image.mask_box import mask_box
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.image_kind import modality_of

REFERENCE, PREDICTED = (46, 204, 64), (255, 65, 54)
"""Green and red, as MSTT-199's figure 6 has them."""

_MARGIN_MM = 15.0
_DASH = 6
"""Pixels of a dash, about."""

_WIDTH = 320
"""Pixels across a picture: two outlines of one pixel are told apart."""


@dataclass(frozen=True)
class CasePicture:
    """A case's picture.

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


def case_picture(image: Volume, kind: str, reference: Mask, predicted: Mask, *, is_dashed: bool = False) -> CasePicture:
    """The slice with most of the reference, with its outline in green and the predicted one in red.

    Args:
        image: The image.
        kind: Its kind, for the window.
        reference: On the image's grid, not empty.
        predicted: On the same grid.
        is_dashed: Whether the predicted outline is dashed, so that the two differ without colour.

    Raises:
        GeometryError: A mask lies on another grid.
    """
    from PIL import Image

    image.grid.require_match(predicted.grid, what="The image and the mask that a model drew")
    plane = PicturePlane.of(image.grid)
    others = tuple(axis for axis in range(3) if axis != plane.slice_axis)
    index = int(reference.foreground.sum(axis=others).argmax())
    grey = to_uint8(plane.to_picture(image.data, index), window=drawing_window(image.data, modality=modality_of(kind)))
    insides = [plane.to_picture(mask.foreground, index) for mask in (reference, predicted)]
    window = _window(insides[0] | insides[1], plane)
    height_mm, width_mm = plane.pixel_spacing_mm
    rows, columns = grey[window].shape
    size = (_WIDTH, max(1, round(_WIDTH * rows * height_mm / (columns * width_mm))))
    picture = Image.fromarray(grey[window]).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    pixels: NDArray[np.uint8] = np.array(picture)
    for inside, colour, dashed in zip(insides, (REFERENCE, PREDICTED), (False, is_dashed), strict=True):
        rim = _rim(np.array(Image.fromarray(inside[window]).resize(size, Image.Resampling.NEAREST)))
        pixels[rim & _dashes(rim.shape) if dashed else rim] = colour
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", optimize=True)
    return CasePicture(stream.getvalue(), index)


def _window(inside: Inside, plane: PicturePlane) -> tuple[slice, ...]:
    box = mask_box(inside) or (slice(0, plane.height), slice(0, plane.width))
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


def grey_value(image: Volume, modality: str, reference: Mask) -> float:
    """Mean grey value inside a mask, 0 to 255 in the window that annotators draw on.

    Args:
        image: The image.
        modality: As in DICOM, for the window.
        reference: On the image's grid, not empty.
    """
    grey = to_uint8(image.data[reference.foreground], window=drawing_window(image.data, modality=modality))
    return float(grey.mean())

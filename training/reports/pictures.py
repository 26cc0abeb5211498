"""Pictures of cases with both outlines: the slice with most of the reference, cut to what both masks hold."""

from datasets.image.intensity import drawing_window, to_uint8
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.pictures.outlined_slice import Outline, OutlinedSlice, fullest_slice, outlined_slice
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.image_kind import modality_of

REFERENCE, PREDICTED = (46, 204, 64), (255, 65, 54)
"""Green and red, as MSTT-199's figure 6 has them."""


def case_picture(
    image: Volume, kind: str, reference: Mask, predicted: Mask, *, is_dashed: bool = False
) -> OutlinedSlice:
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
    image.grid.require_match(predicted.grid, what="The image and the mask that a model drew")
    index = fullest_slice(reference.foreground, PicturePlane.of(image.grid))
    outlines = [Outline(reference.foreground, REFERENCE), Outline(predicted.foreground, PREDICTED, is_dashed)]
    return outlined_slice(image, modality_of(kind), outlines, index=index)


def grey_value(image: Volume, modality: str, reference: Mask) -> float:
    """Mean grey value inside a mask, 0 to 255 in the window that annotators draw on.

    Args:
        image: The image.
        modality: As in DICOM, for the window.
        reference: On the image's grid, not empty.
    """
    grey = to_uint8(image.data[reference.foreground], window=drawing_window(image.data, modality=modality))
    return float(grey.mean())

"""A slice's picture with the mask drawn as an outline."""

from functools import lru_cache
from pathlib import Path

from annotation_backend.labeling import outlines
from datasets.mask import Mask
from datasets.nifti import read_mask
from datasets.picture_plane import PicturePlane

MASKS_IN_MEMORY = 4


def outlined_png(picture: Path, mask: Path, *, plane: PicturePlane, index: int) -> bytes:
    """PNG bytes of an exported picture with the mask's inner border in colour.

    Args:
        picture: An 8-bit grey PNG of the case's export.
        mask: NIfTI mask on the case's grid.
        plane: How its slices become pictures.
        index: The slice.
    """
    inside = plane.to_picture(_read(mask).foreground, index)
    return outlines.outlined_png(picture, [(inside, outlines.ORANGE)])


@lru_cache(maxsize=MASKS_IN_MEMORY)
def _read(path: Path) -> Mask:
    """Masks never change once written, so their path is a good key."""
    return read_mask(path)

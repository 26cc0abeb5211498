"""A slice's picture with the mask drawn as an outline."""

from functools import lru_cache
from pathlib import Path

from annotation_backend.cases.stored.digests import StoredFile, whole_file
from annotation_backend.labeling.masks import outlines
from datasets.formats.nifti import read_mask
from datasets.image.mask import Mask
from datasets.pictures.picture_plane import PicturePlane

MASKS_IN_MEMORY = 4


def outlined_png(picture: bytes, mask: StoredFile, *, plane: PicturePlane, index: int) -> bytes:
    """PNG bytes of an exported picture with the mask's inner border in colour.

    Args:
        picture: The bytes of an 8-bit grey PNG of the case's export.
        mask: NIfTI mask on the case's grid.
        plane: How its slices become pictures.
        index: The slice.

    Raises:
        DamagedFile: The mask's file is not the one that was written.
    """
    inside = plane.to_picture(_read(whole_file(mask), mask.sha256).foreground, index)
    return outlines.outlined_png(picture, [(inside, outlines.ORANGE)])


@lru_cache(maxsize=MASKS_IN_MEMORY)
def _read(path: Path, _sha256: str) -> Mask:
    """A mask that was compared with its digest just now."""
    return read_mask(path)

"""A case's mask on one of its slices, for its outline on the slice's picture."""

from functools import lru_cache
from pathlib import Path

from annotation_backend.cases.stored.digests import StoredFile, whole_file
from datasets.formats.nifti import read_mask
from datasets.image.mask import Inside, Mask
from datasets.pictures.picture_plane import PicturePlane

MASKS_IN_MEMORY = 4


def mask_on_slice(mask: StoredFile, *, plane: PicturePlane, index: int) -> Inside:
    """The mask on a slice in picture orientation, boolean (height, width).

    Args:
        mask: NIfTI mask on the case's grid.
        plane: How its slices become pictures.
        index: The slice.

    Raises:
        DamagedFile: The mask's file is not the one that was written.
    """
    return plane.to_picture(_read(whole_file(mask), mask.sha256).foreground, index)


@lru_cache(maxsize=MASKS_IN_MEMORY)
def _read(path: Path, _sha256: str) -> Mask:
    """A mask that was compared with its digest just now."""
    return read_mask(path)

"""Pictures of what changed: two outlines on one slice, or a slice before and now, each told apart without colour."""

import re

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside
from datasets.image.volume import Volume
from datasets.pictures.outlined_slice import Outline, fullest_slice, outlined_slice
from datasets.pictures.picture_plane import PicturePlane
from datasets.release.comparing.changes import ChangePicture

BEFORE, NOW = (230, 159, 0), (86, 180, 233)
"""Orange and sky blue, which people who confuse colours tell apart (Okabe and Ito 2008)."""

LEGEND = "The outline before is solid and orange, the one now is dashed and blue."

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}")


def mask_picture(image: Volume, modality: str, old: Inside, new: Inside, *, place: str, label: str) -> ChangePicture:
    """The slice in which most voxels of a label changed, with both outlines.

    Args:
        image: The image that the mask was drawn on, as it is now.
        modality: Its modality, as in DICOM.
        old: Voxels of the label before, on the image's grid.
        new: The same now.
        place: Name of the picture's file, without its ending.
        label: The label's name.
    """
    index = fullest_slice(old ^ new, PicturePlane.of(image.grid))
    outlines = [Outline(old, BEFORE), Outline(new, NOW, is_dashed=True)]
    found = outlined_slice(image, modality, outlines, index=index)
    return ChangePicture(f"{place}.png", f"{label}, slice {index}: before solid, now dashed", found.png)


def image_pictures(
    old: Volume, new: Volume, modality: str, different: NDArray[np.bool_], *, place: str, role: str
) -> tuple[ChangePicture, ...]:
    """The slice in which most voxels of an image changed, before and now.

    Args:
        old: The image before.
        new: The image now, on the same grid.
        modality: Its modality, as in DICOM.
        different: Voxels that have another value.
        place: Name of the pictures' files, without what tells them apart.
        role: The image's role.
    """
    index = fullest_slice(different, PicturePlane.of(new.grid))
    return tuple(
        ChangePicture(
            f"{place}-{name}.png",
            f"{role}, slice {index}: {name}",
            outlined_slice(image, modality, (), index=index).png,
        )
        for name, image in (("before", old), ("now", new))
    )


def moved_picture(image: Volume, modality: str, inside: Inside, *, place: str, is_old: bool) -> ChangePicture:
    """The fullest slice of a mask whose grid changed, on the image of its own version.

    Args:
        image: The image that the mask was drawn on.
        modality: Its modality, as in DICOM.
        inside: The mask, on the image's grid.
        place: Name of the picture's file, without what tells it from the other.
        is_old: Whether it is the version before.
    """
    name = "before" if is_old else "now"
    index = fullest_slice(inside, PicturePlane.of(image.grid))
    outline = Outline(inside, BEFORE if is_old else NOW, is_dashed=not is_old)
    found = outlined_slice(image, modality, [outline], index=index)
    caption = f"slice {index}: {name}, {'solid' if is_old else 'dashed'}"
    return ChangePicture(f"{place}-{name}.png", caption, found.png)


def picture_place(number: int, case: str) -> str:
    """Where the pictures of a case lie in a report: by its code, or by its number where the code is no plain name."""
    return f"pictures/{case if _SAFE.fullmatch(case) else f'case-{number}'}"

"""What a person may say of an export."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Missing(StrEnum):
    """What happens where some cases lack an optional image, in formats whose cases all have the same images."""

    REFUSE = "refuse"
    """Nothing is exported, and it is said which images are missing."""

    LEAVE_IMAGE_OUT = "leave-image-out"
    """The image is exported of no case."""

    LEAVE_CASE_OUT = "leave-case-out"
    """The cases that lack it are not exported."""


class SegmentForm(StrEnum):
    """How a DICOM SEG holds its segments."""

    BINARY = "binary"
    """One bit a pixel and segment, which every viewer reads."""

    LABEL_MAP = "labelmap"
    """One number a pixel (DICOM PS3.3 A.92), which is newer and smaller."""


@dataclass(frozen=True)
class ExportOptions:
    """What a person may say of an export; each format takes what concerns it.

    Args:
        images: Roles to export, in this order; () for all that the release has.
        missing: What happens where cases lack one of them.
        number: Number of the dataset or task, where the format has one.
        dataset_name: Name of the dataset, letters and digits; empty for one made of the release's name.
        segments: How a DICOM SEG holds its segments.
        dicom: Folder with de-identified DICOM series to which DICOM SEG may refer; None for none.
    """

    images: tuple[str, ...] = ()
    missing: Missing = Missing.REFUSE
    number: int = 1
    dataset_name: str = ""
    segments: SegmentForm = SegmentForm.BINARY
    dicom: Path | None = None

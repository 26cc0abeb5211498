"""The SOP classes that are images of a cross-sectional scanner: one table.

Source: DICOM PS3.4 B.5 (storage SOP classes), PS3.3 A.3, A.4, A.21, A.36, A.38, A.56, A.70 to A.72.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)


@dataclass(frozen=True)
class ImageClass:
    """A kind of image object.

    Args:
        modality: ``MR``, ``CT`` or ``PT``.
        is_enhanced: Whether one object holds many frames, each with functional groups.
    """

    modality: str
    is_enhanced: bool = False


IMAGE_CLASSES: Mapping[str, ImageClass] = MappingProxyType(
    {
        MRImageStorage: ImageClass("MR"),
        EnhancedMRImageStorage: ImageClass("MR", is_enhanced=True),
        LegacyConvertedEnhancedMRImageStorage: ImageClass("MR", is_enhanced=True),
        CTImageStorage: ImageClass("CT"),
        EnhancedCTImageStorage: ImageClass("CT", is_enhanced=True),
        LegacyConvertedEnhancedCTImageStorage: ImageClass("CT", is_enhanced=True),
        PositronEmissionTomographyImageStorage: ImageClass("PT"),
        EnhancedPETImageStorage: ImageClass("PT", is_enhanced=True),
        LegacyConvertedEnhancedPETImageStorage: ImageClass("PT", is_enhanced=True),
    }
)
"""The kinds of images that are read, by UID."""

LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
SEGMENTATIONS = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", LABEL_MAP_SEGMENTATION})

CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
"""How the UIDs of all secondary capture classes begin: screen shots, dose reports."""


def is_enhanced(sop_class_uid: str) -> bool:
    """Whether objects of this class hold frames with functional groups."""
    found = IMAGE_CLASSES.get(sop_class_uid)
    return found is not None and found.is_enhanced

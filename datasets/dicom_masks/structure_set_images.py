"""The series and slices that a structure set was drawn on, by its references, its contours and their positions.

The lists of studies and series are optional in DICOM, and name every series that a planning system had open. A
contour's reference to its own image is more reliable and is taken first; positions decide where there is no reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property

from pydicom import Dataset

from datasets.dicom.contour_references import ImageReference, contour_images, images_of, listed_images
from datasets.dicom_series.stack import DicomSeries


class Source(Enum):
    """How a series was found to be the one that a structure set was drawn on."""

    IMAGES = auto()
    """Contours name its images."""
    LIST = auto()
    """The structure set lists it, and names no image that is known."""
    PLACE = auto()
    """The structure set names nothing."""
    OTHER = auto()
    """The structure set was drawn on another series."""


@dataclass(frozen=True, eq=False)
class StructureSetImages:
    """A structure set's references to images, compared with one series.

    Args:
        series: The series.
        listed: Images of each series that it lists.
        named: Images that its contours name.
        slices: Number of the slice of each of the series' images.
    """

    series: DicomSeries
    listed: Mapping[str, set[str]] = field(repr=False)
    named: frozenset[str] = field(repr=False)
    slices: Mapping[ImageReference, int] = field(repr=False)

    @classmethod
    def of(cls, dataset: Dataset, series: DicomSeries) -> "StructureSetImages":
        """The images that a structure set names, beside those of a series."""
        slices = {
            (uid, header.frame + 1 if header.is_frame else None): k
            for k, header in enumerate(series.slices)
            for uid in header.uids
        }
        return cls(series, listed_images(dataset), frozenset(contour_images(dataset)), slices)

    @cached_property
    def own_uids(self) -> frozenset[str]:
        """UIDs of the series' images. Never to be shown."""
        return frozenset(uid for uid, _ in self.slices)

    @cached_property
    def source(self) -> Source:
        """Whether the structure set was drawn on the series, and which reference tells."""
        if self.named & self.own_uids:
            return Source.IMAGES
        if self.series.series_uid in self.listed:
            elsewhere = self.named and all(self.is_listed_elsewhere(uid) for uid in self.named)
            return Source.OTHER if elsewhere else Source.LIST
        return Source.OTHER if self.listed or self.named else Source.PLACE

    @property
    def is_ambiguous(self) -> bool:
        """Whether it lists several series, and none of its contours says which."""
        return self.source is Source.LIST and len(self.listed) > 1

    def slice_of(self, contour: Dataset, *, height: float | None = None) -> int | None:
        """The slice whose image a contour names, the one nearest to `height` of several; None without any."""
        found = {self._slice(reference) for reference in images_of(contour)} - {None}
        known = [k for k in found if k is not None]
        return min(known, key=lambda k: (abs(k - (height or 0.0)), k)) if known else None

    def is_of_other_images(self, contour: Dataset) -> bool:
        """Whether a contour names images of which none is the series', although others of the set are."""
        named = images_of(contour)
        return self.source is Source.IMAGES and bool(named) and all(self._slice(one) is None for one in named)

    def is_listed_elsewhere(self, uid: str) -> bool:
        """Whether an image is listed as one of another series."""
        return any(uid in images for series, images in self.listed.items() if series != self.series.series_uid)

    @staticmethod
    def image_uids(contour: Dataset) -> list[str]:
        """UIDs of the images that a contour names. Never to be shown."""
        return [uid for uid, _ in images_of(contour)]

    def _slice(self, reference: ImageReference) -> int | None:
        return self.slices.get(reference, self.slices.get((reference[0], None)))

"""RTSTRUCT in and out: contours on the slices of one series become masks on that series' grid, and the other way round.

`datasets.dicom_masks.contours` rasterises the contours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from datasets.dicom.file import read_dataset, text, without_warnings
from datasets.dicom.header import read_header
from datasets.dicom_masks.contours import CONTOUR_PLANE_TOLERANCE, DrawnContour, fill_contours
from datasets.dicom_masks.mask_set import MaskSet, unused_name
from datasets.dicom_masks.structure_set_images import Source, StructureSetImages
from datasets.dicom_series.series import DicomSeries, series_grid
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.image.mask import Mask
from datasets.image.volume import Grid

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def read_structure_set(path: Path, series: DicomSeries) -> MaskSet:
    """Reads the closed planar regions of a structure set, with findings; a bad region does not keep the others out.

    Contours that name images of another series are left out. Regions without an area (no contour, points only) are left
    out. A second region of the same name gets `` (2)``.

    Args:
        path: The structure set.
        series: The series it was drawn on, and no other.

    Returns:
        Masks on `series_grid`. Findings about one region: an error for one in another frame of reference
        (``rtstruct-other-frame``), with an open contour (``contour-open``), damaged coordinates
        (``contour-coordinates``) or what `fill_contours` refuses; ``contour-other-image`` where contours name images
        that are not the series'; the warnings of `fill_contours`. About the file: ``rtstruct-images-absent`` where it
        lists slices that the series lacks, ``rtstruct-by-position`` where it does not say which series it belongs to,
        ``rtstruct-images-unknown`` where its contours name images that are not there. ``region-unnamed`` for a region
        without a name.

    Raises:
        RejectedInput: Not an RTSTRUCT (``rtstruct-other-object``), drawn on another series (``rtstruct-other-series``),
            or what `series_grid` refuses.
    """
    dataset = read_dataset(path)
    if not read_header(path).is_structure_set:
        raise RejectedInput(
            "rtstruct-other-object",
            "The DICOM object is no structure set (RTSTRUCT).",
            remedy="Give the structure set that was drawn on the series.",
        )
    images = StructureSetImages.of(dataset, series)
    if images.source is Source.OTHER:
        raise _other_series(series)
    reading = _Reading(images, series_grid(series))
    regions = {text(region, "ROINumber"): region for region in _items(dataset, "StructureSetROISequence")}
    drawn = [
        (regions.get(text(contours, "ReferencedROINumber"), Dataset()), contours)
        for contours in _items(dataset, "ROIContourSequence")
    ]
    if images.source is Source.PLACE:
        reading.require_place(drawn)
    masks: dict[str, Mask] = {}
    findings = list(reading.file_findings())
    for index, (region, contours) in enumerate(drawn, start=1):
        try:
            data, noted = reading.region(region, contours, subject=f"region {index}")
        except RejectedInput as error:
            findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy, f"region {index}"))
            continue
        findings.extend(noted)
        if data is not None:
            if not text(region, "ROIName"):
                findings.append(_unnamed(index))
            name = unused_name(text(region, "ROIName") or f"region {index}", masks)
            masks[name] = Mask(data, reading.grid, {1: name})
    return MaskSet(masks, tuple(findings))


def region_names(path: Path) -> tuple[str, ...]:
    """The names of a structure set's regions, without looking at a contour; free text, and never to be shown.

    Raises:
        RejectedInput: What `read_dataset` refuses.
    """
    dataset = read_dataset(path, keywords=["StructureSetROISequence"])
    return tuple(filter(None, (text(region, "ROIName") for region in _items(dataset, "StructureSetROISequence"))))


@dataclass(frozen=True, eq=False)
class _Reading:
    """A structure set being read onto a series' grid."""

    images: StructureSetImages
    grid: Grid

    def region(
        self, region: Dataset, contours: Dataset, *, subject: str
    ) -> tuple[NDArray[np.uint8] | None, list[Finding]]:
        """A region's voxels, None for one without an area here, and the findings about it."""
        series = self.images.series
        if not self._shares_frame(region):
            raise RejectedInput(
                "rtstruct-other-frame",
                f"The region lies in another frame of reference than series {series.reference}.",
                remedy="Give the structure set of this series.",
            )
        closed = _closed_contours(contours)
        own = [(contour, points) for contour, points in closed if not self.images.is_of_other_images(contour)]
        findings = list(self._left_out([contour for contour, _ in closed], len(closed) - len(own), subject))
        if not own:
            return None, findings
        drawn = [DrawnContour(points, self._slice_of(contour, points)) for contour, points in own]
        data, noted = fill_contours(drawn, self.grid, subject=subject)
        return data, [*findings, *noted]

    def file_findings(self) -> Iterator[Finding]:
        """Findings about the whole file."""
        yield from _absent_images(self.images)
        if self.images.source is Source.PLACE or self.images.is_ambiguous:
            yield Finding(
                Level.WARNING,
                "rtstruct-by-position",
                "The structure set names no images, so it does not say which series it was drawn on; it was read "
                f"on series {self.images.series.reference}.",
                "Make sure that it was drawn on this series.",
            )

    def require_place(self, drawn: list[tuple[Dataset, Dataset]]) -> None:
        """Refuses a structure set that names no image or series, unless its contours lie on the series' slices."""
        placed = [
            self._shares_frame(region) and self._lies_on_slice(points)
            for region, contours in drawn
            for _, points in _closed_contours(contours)
        ]
        if not placed or not all(placed):
            raise _other_series(self.images.series)

    def _lies_on_slice(self, points: NDArray[np.float64]) -> bool:
        heights = self.grid.to_voxel(points)[:, 2]
        k = np.rint(np.median(heights))
        return bool(0 <= k < self.grid.shape[2] and np.abs(heights - k).max() <= CONTOUR_PLANE_TOLERANCE)

    def _shares_frame(self, region: Dataset) -> bool:
        frame, own = text(region, "ReferencedFrameOfReferenceUID"), self.images.series.frame_of_reference_uid
        return not frame or not own or frame == own

    def _slice_of(self, contour: Dataset, points: NDArray[np.float64]) -> int | None:
        return self.images.slice_of(contour, height=float(np.median(self.grid.to_voxel(points)[:, 2])))

    def _left_out(self, contours: list[Dataset], count: int, subject: str) -> Iterator[Finding]:
        if not count:
            return
        named = {uid for contour in contours for uid in self.images.image_uids(contour)}
        is_known = all(self.images.is_listed_elsewhere(uid) for uid in named - self.images.own_uids)
        yield Finding(
            Level.INFO if is_known else Level.WARNING,
            "contour-other-image",
            f"{count} contour(s) name images that are not of series {self.images.series.reference}; they were left "
            "out.",
            "Nothing, if they were drawn on another series; else send the whole series again from the archive.",
            subject,
        )


def _other_series(series: DicomSeries) -> RejectedInput:
    return RejectedInput(
        "rtstruct-other-series",
        f"The structure set refers to another series than {series.reference}.",
        remedy="Give the series that it was drawn on, or the structure set of this series.",
    )


def _absent_images(images: StructureSetImages) -> Iterator[Finding]:
    """A warning where the structure set was drawn on slices of this series UID that are not there.

    None of as many known by its UID means that only the UIDs were changed, as archives do; contours are placed by their
    coordinates.
    """
    series = images.series
    listed = images.listed.get(series.series_uid, set())
    absent = len(listed - images.own_uids)
    is_renamed = absent == len(listed) == len(series.slices)
    if absent and not is_renamed and not series.split_by:
        yield Finding(
            Level.WARNING,
            "rtstruct-images-absent",
            f"Of the {len(listed)} images that the structure set was drawn on in series {series.reference}, "
            f"{absent} are missing.",
            "Send the whole series again from the archive.",
        )
    elif images.source is Source.LIST and images.named and not is_renamed:
        yield Finding(
            Level.WARNING,
            "rtstruct-images-unknown",
            f"The structure set lists series {series.reference}, but some contours name images that are not there; "
            "they were placed by their coordinates.",
            "Make sure that it was drawn on this series.",
        )


def _unnamed(index: int) -> Finding:
    return Finding(
        Level.WARNING,
        "region-unnamed",
        f"The region has no name; it is called region {index}.",
        "Make sure what it shows, or name it in the drawing tool and export again.",
        f"region {index}",
    )


_CLOSED_KINDS = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_OPEN_KINDS = ("OPEN_PLANAR", "OPEN_NONPLANAR")
"""DICOM's other kinds of contour; anything else is free text and not shown."""


def _closed_contours(contours: Dataset) -> list[tuple[Dataset, NDArray[np.float64]]]:
    """Every contour of a region that encloses an area, and its points: RAS+ millimetres (n, 3), n ≥ 3."""
    found = []
    for contour in _items(contours, "ContourSequence"):
        kind = text(contour, "ContourGeometricType")
        if kind == "POINT":
            continue
        if kind not in _CLOSED_KINDS:
            known = kind if kind in _OPEN_KINDS else "unknown"
            raise RejectedInput(
                "contour-open",
                f"A contour of the region is not closed and planar, but of another kind ({known}).",
                remedy="Close the contour in the drawing tool and export again.",
            )
        points = _coordinates(contour)
        if len(points) >= 3:
            found.append((contour, points))
    return found


def _coordinates(contour: Dataset) -> NDArray[np.float64]:
    try:
        with without_warnings():
            points = np.array([float(value) for value in _contour_data(contour)], dtype=np.float64).reshape(-1, 3)
    except Exception:  # a damaged number raises anything when pydicom parses it
        points = np.full((1, 3), np.nan)
    if not np.isfinite(points).all():
        raise RejectedInput(
            "contour-coordinates",
            "A point of a contour is not three finite numbers.",
            remedy="Export the structure set again.",
        ) from None
    return points * _LPS_TO_RAS


def _contour_data(contour: Dataset) -> Iterable[Any]:
    """The numbers as the file has them: pydicom's own decimal strings take ten times as long for a long contour."""
    element = contour.get_item("ContourData")
    return element.value.split(b"\\") if isinstance(element, RawDataElement) else contour.ContourData


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    with without_warnings():
        return list(dataset.get(keyword) or [])

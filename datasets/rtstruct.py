"""RTSTRUCT in and out: contours on the slices of one series become masks on that series' grid, and the other way round.

A pixel is inside when its centre is. Contours of one region on one slice combine by exclusive or, so that a contour
within a contour is a hole.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset
from pydicom.dataelem import RawDataElement
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from datasets.dicom_file import read_dataset, text, without_warnings
from datasets.dicom_header import read_header
from datasets.dicom_series import DicomSeries, series_grid
from datasets.errors import RejectedInput
from datasets.files import replaced_when_whole
from datasets.mask import Mask
from datasets.polygon_fill import polygon_mask
from datasets.volume import Grid

CONTOUR_PLANE_TOLERANCE = 0.1
"""How far a contour may lie from a slice, in slice steps: above the rounding of coordinates to a tenth of a
millimetre, far below the half step of a contour drawn between two slices."""

OUTSIDE_TOLERANCE_PIXELS = 1.0
"""How far a contour may leave the picture: drawing tools place points on the outer edge of the last pixel."""

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_IMPLEMENTATION_UID = "2.25.160396259226480402041064293811386710393"


def read_rtstruct(path: Path, series: DicomSeries) -> dict[str, Mask]:
    """Reads every closed planar region as a mask on the grid of the series that it was drawn on.

    Regions without an area (no contour, points only) are left out. A second region of the same name gets `` (2)``.

    Args:
        path: The structure set.
        series: The series it was drawn on, and no other.

    Returns:
        Name of the region to its mask: value 1, labelled with the region's name.

    Raises:
        RejectedInput: Not an RTSTRUCT (``rtstruct-other-object``), drawn on another series (``rtstruct-other-series``)
            or in another frame of reference (``rtstruct-other-frame``), an open contour (``contour-open``), one between
            two slices (``contour-off-slice``) or outside the grid (``contour-outside``), damaged coordinates
            (``contour-coordinates``), or what `series_grid` refuses.
    """
    dataset = read_dataset(path)
    _refuse_other_source(path, series)
    grid = series_grid(series)
    regions = _regions_by_number(dataset, series)
    masks: dict[str, Mask] = {}
    for contours in _items(dataset, "ROIContourSequence"):
        name = regions.get(text(contours, "ReferencedROINumber"))
        data = None if name is None else _rasterise(list(_closed_contours(contours)), grid)
        if name is not None and data is not None:
            name = unused_name(name, masks)
            masks[name] = Mask(data, grid, {1: name})
    return masks


def write_rtstruct(path: Path, masks: Mapping[str, Mask], series: DicomSeries) -> None:
    """Writes masks as a minimal RTSTRUCT that refers to the series; patient and study are copied from its first slice.

    Contours run half-way between pixel centres, so that `read_rtstruct` gives the same masks back. The same masks and
    series give the same bytes.

    Raises:
        GeometryError: A mask lies on another grid than the series.
        RejectedInput: What `series_grid` refuses, or a series that cannot be read.
    """
    grid = series_grid(series)
    for name, mask in masks.items():
        grid.require_match(mask.grid, what=f"Mask {name} of the series")
    with without_warnings():
        dataset = _structure_set(series, masks)
        with replaced_when_whole(path) as part:
            dataset.save_as(part, enforce_file_format=True)


def _structure_set(series: DicomSeries, masks: Mapping[str, Mask]) -> Dataset:
    dataset = _empty_structure_set(series)
    _describe_reference(dataset, series)
    dataset.StructureSetROISequence = [
        _dataset(
            ROINumber=number,
            ReferencedFrameOfReferenceUID=series.frame_of_reference_uid,
            ROIName=name,
            ROIGenerationAlgorithm="MANUAL",
        )
        for number, name in enumerate(masks, start=1)
    ]
    dataset.ROIContourSequence = [
        _dataset(ReferencedROINumber=number, ContourSequence=list(_contour_items(mask, series)))
        for number, mask in enumerate(masks.values(), start=1)
    ]
    dataset.RTROIObservationsSequence = [
        _dataset(ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType="GTV", ROIInterpreter="")
        for number in range(1, len(masks) + 1)
    ]
    return dataset


def _refuse_other_source(path: Path, series: DicomSeries) -> None:
    header = read_header(path)
    if not header.is_structure_set:
        raise RejectedInput(
            "rtstruct-other-object",
            "Expected an RTSTRUCT, got another DICOM object.",
            remedy="Give the structure set that was drawn on the series.",
        )
    if series.series_uid not in header.referenced_series:
        raise RejectedInput(
            "rtstruct-other-series",
            f"Expected a structure set drawn on series {series.reference}, got one that refers to another series.",
            remedy="Give the series that it was drawn on, or the structure set of this series.",
        )


def _regions_by_number(dataset: Dataset, series: DicomSeries) -> dict[str, str]:
    """Number to name of every region; refuses one in another frame of reference than the series."""
    regions = {}
    for region in _items(dataset, "StructureSetROISequence"):
        frame = text(region, "ReferencedFrameOfReferenceUID")
        if frame and series.frame_of_reference_uid and frame != series.frame_of_reference_uid:
            raise RejectedInput(
                "rtstruct-other-frame",
                f"Expected regions in the frame of reference of series {series.reference}, got another one.",
                remedy="Give the structure set of this series.",
            )
        number = text(region, "ROINumber")
        regions[number] = text(region, "ROIName") or f"region {number}"
    return regions


_OPEN_KINDS = ("OPEN_PLANAR", "OPEN_NONPLANAR", "CLOSEDPLANAR_XOR")
"""DICOM's other kinds of contour; anything else is free text and not shown."""


def _closed_contours(contours: Dataset) -> Iterator[NDArray[np.float64]]:
    """RAS+ millimetres (n, 3), n ≥ 3, of every contour of a region that encloses an area."""
    for contour in _items(contours, "ContourSequence"):
        kind = text(contour, "ContourGeometricType")
        if kind == "POINT":
            continue
        if kind != "CLOSED_PLANAR":
            known = kind if kind in _OPEN_KINDS else "unknown"
            raise RejectedInput(
                "contour-open",
                f"Expected closed planar contours, got one of another kind ({known}).",
                remedy="Close the contour in the drawing tool and export again.",
            )
        points = _coordinates(contour)
        if len(points) >= 3:
            yield points


def _coordinates(contour: Dataset) -> NDArray[np.float64]:
    try:
        with without_warnings():
            points = np.array([float(value) for value in _contour_data(contour)], dtype=np.float64).reshape(-1, 3)
    except Exception:  # a damaged number raises anything when pydicom parses it
        points = np.full((1, 3), np.nan)
    if not np.isfinite(points).all():
        raise RejectedInput(
            "contour-coordinates",
            "Expected three finite numbers for each point of a contour.",
            remedy="Export the structure set again.",
        ) from None
    return points * _LPS_TO_RAS


def _contour_data(contour: Dataset) -> Iterable[Any]:
    """The numbers as the file has them: pydicom's own decimal strings take ten times as long for a long contour."""
    element = contour.get_item("ContourData")
    return element.value.split(b"\\") if isinstance(element, RawDataElement) else contour.ContourData


def _rasterise(contours: list[NDArray[np.float64]], grid: Grid) -> NDArray[np.uint8] | None:
    """Label map (i, j, k) of a region's contours; None for a region without any."""
    if not contours:
        return None
    data = np.zeros(grid.shape, dtype=np.bool_)
    for points in contours:
        voxels = grid.to_voxel(points)
        k = _slice_of(voxels, grid)
        data[:, :, k] ^= polygon_mask(voxels[:, :2], grid.shape[:2])  # first axis of both is i, second is j
    return data.astype(np.uint8)


def _slice_of(voxels: NDArray[np.float64], grid: Grid) -> int:
    """The slice that a contour in voxel coordinates (n, 3) lies on."""
    k = int(np.rint(np.median(voxels[:, 2])))
    off = float(np.abs(voxels[:, 2] - k).max())
    if off > CONTOUR_PLANE_TOLERANCE:
        raise RejectedInput(
            "contour-off-slice",
            f"Expected every contour on a slice, got one that lies {off * grid.spacing[2]:.2f} mm from the nearest.",
            remedy="Export the structure set on the slices of its own series.",
        )
    last = np.array(grid.shape[:2]) - 1 + OUTSIDE_TOLERANCE_PIXELS
    if not 0 <= k < grid.shape[2] or (voxels[:, :2] < -OUTSIDE_TOLERANCE_PIXELS).any() or (voxels[:, :2] > last).any():
        raise RejectedInput(
            "contour-outside",
            f"Expected every contour within the series ({grid.describe()}), got one outside.",
            remedy="Give the whole series that the structure set was drawn on.",
        )
    return k


def _contour_items(mask: Mask, series: DicomSeries) -> Iterator[Dataset]:
    from skimage.measure import find_contours

    for k, header in enumerate(series.slices):
        for outline in find_contours(np.pad(mask.foreground[:, :, k], 1).astype(np.float32), 0.5):
            corners = outline[:-1] - 1.0  # closed contours repeat their first point; the padding moved them by one
            points = mask.grid.to_world(np.column_stack([corners, np.full(len(corners), k)])) * _LPS_TO_RAS
            yield _dataset(
                ContourImageSequence=[_reference_to(header.sop_class_uid, header.sop_instance_uid)],
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(points),
                ContourData=[f"{value:.4f}" for value in points.ravel()],
            )


def _empty_structure_set(series: DicomSeries) -> Dataset:
    """Patient, study and object, without any region."""
    source = read_dataset(series.slices[0].path)
    dataset = Dataset()
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate",
                    "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"):  # fmt: skip
        setattr(dataset, keyword, source.get(keyword, ""))
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[series.series_uid, "structure set"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[series.series_uid, "structure set series"])
    dataset.FrameOfReferenceUID = series.frame_of_reference_uid
    dataset.Modality = "RTSTRUCT"
    dataset.Manufacturer = "Maskloop"
    dataset.SeriesNumber = "100"
    dataset.StructureSetLabel = "REGIONS"
    dataset.StructureSetDate, dataset.StructureSetTime = dataset.StudyDate, dataset.StudyTime
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = _IMPLEMENTATION_UID
    dataset.file_meta.ImplementationVersionName = "MASKLOOP"
    return dataset


def _describe_reference(dataset: Dataset, series: DicomSeries) -> None:
    images = [_reference_to(header.sop_class_uid, header.sop_instance_uid) for header in series.slices]
    study = _reference_to("1.2.840.10008.3.1.2.3.1", series.study_uid)
    study.RTReferencedSeriesSequence = [_dataset(SeriesInstanceUID=series.series_uid, ContourImageSequence=images)]
    dataset.ReferencedFrameOfReferenceSequence = [
        _dataset(FrameOfReferenceUID=series.frame_of_reference_uid, RTReferencedStudySequence=[study])
    ]


def _reference_to(class_uid: str, instance_uid: str) -> Dataset:
    return _dataset(ReferencedSOPClassUID=class_uid, ReferencedSOPInstanceUID=instance_uid)


def _dataset(**values: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    with without_warnings():
        return list(dataset.get(keyword) or [])


def unused_name(name: str, taken: Mapping[str, Mask]) -> str:
    """The name, with a number behind it where it is taken."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name} ({number})"
    return candidate

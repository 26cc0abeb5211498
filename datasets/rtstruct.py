"""RTSTRUCT in and out: contours on the slices of one series become masks on that series' grid, and the other way round.

How contours become voxels is `datasets.contours`' to say.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset
from pydicom.dataelem import RawDataElement
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from datasets.contours import fill_contours
from datasets.dicom_file import read_dataset, text, values, without_warnings
from datasets.dicom_header import SliceHeader, read_header
from datasets.dicom_series import DicomSeries, series_grid
from datasets.errors import RejectedInput
from datasets.files import replaced_when_whole
from datasets.finding import Finding, Level
from datasets.mask import Mask
from datasets.mask_set import MaskSet, unused_name
from datasets.volume import Grid

__all__ = ["read_rtstruct", "read_structure_set", "unused_name", "write_rtstruct"]

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_IMPLEMENTATION_UID = "2.25.160396259226480402041064293811386710393"


def read_rtstruct(path: Path, series: DicomSeries) -> dict[str, Mask]:
    """Reads every closed planar region as a mask on the grid of the series that it was drawn on.

    Raises:
        RejectedInput: What `read_structure_set` raises, or the first region that it could not read.
    """
    return read_structure_set(path, series).sound()


def read_structure_set(path: Path, series: DicomSeries) -> MaskSet:
    """Reads the closed planar regions of a structure set, and says what was noteworthy; a bad region spares the others.

    Regions without an area (no contour, points only) are left out. A second region of the same name gets `` (2)``.

    Args:
        path: The structure set.
        series: The series it was drawn on, and no other.

    Returns:
        Masks on `series_grid`. Findings about one region: an error for one in another frame of reference
        (``rtstruct-other-frame``), with an open contour (``contour-open``), one that is not parallel to the slices
        (``contour-off-slice``), leaves the grid (``contour-outside``) or has damaged coordinates
        (``contour-coordinates``); the warnings of `fill_contours`. About the file: ``rtstruct-images-absent`` where it
        refers to slices that the series lacks.

    Raises:
        RejectedInput: Not an RTSTRUCT (``rtstruct-other-object``), drawn on another series (``rtstruct-other-series``),
            or what `series_grid` refuses.
    """
    dataset = read_dataset(path)
    _refuse_other_source(path, series)
    grid = series_grid(series)
    regions = {text(region, "ROINumber"): region for region in _items(dataset, "StructureSetROISequence")}
    masks: dict[str, Mask] = {}
    findings = list(_absent_images(dataset, series))
    for index, contours in enumerate(_items(dataset, "ROIContourSequence"), start=1):
        region = regions.get(text(contours, "ReferencedROINumber"), Dataset())
        try:
            data, noted = _region(region, contours, series=series, grid=grid, subject=f"region {index}")
        except RejectedInput as error:
            findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy, f"region {index}"))
            continue
        findings.extend(noted)
        if data is not None:
            name = unused_name(text(region, "ROIName") or f"region {index}", masks)
            masks[name] = Mask(data, grid, {1: name})
    return MaskSet(masks, tuple(findings))


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


def _region(
    region: Dataset, contours: Dataset, *, series: DicomSeries, grid: Grid, subject: str
) -> tuple[NDArray[np.uint8] | None, list[Finding]]:
    """A region's voxels, None for one without an area, and what was noteworthy."""
    frame = text(region, "ReferencedFrameOfReferenceUID")
    if frame and series.frame_of_reference_uid and frame != series.frame_of_reference_uid:
        raise RejectedInput(
            "rtstruct-other-frame",
            f"Expected regions in the frame of reference of series {series.reference}, got another one.",
            remedy="Give the structure set of this series.",
        )
    closed = list(_closed_contours(contours))
    return fill_contours(closed, grid, subject=subject) if closed else (None, [])


def _absent_images(dataset: Dataset, series: DicomSeries) -> Iterator[Finding]:
    """A warning where the structure set was drawn on slices of this series UID that are not there.

    None of as many known by its UID means that only the UIDs were changed, as archives do; contours are placed by their
    coordinates.
    """
    named = {
        text(image, "ReferencedSOPInstanceUID")
        for frame in values(dataset, "ReferencedFrameOfReferenceSequence")
        for study in values(frame, "RTReferencedStudySequence")
        for referenced in values(study, "RTReferencedSeriesSequence")
        if text(referenced, "SeriesInstanceUID") == series.series_uid
        for image in values(referenced, "ContourImageSequence")
    }
    absent = len(named - {header.sop_instance_uid for header in series.slices})
    is_renamed = absent == len(named) == len(series.slices)
    if absent and not is_renamed and not series.split_by:
        yield Finding(
            Level.WARNING,
            "rtstruct-images-absent",
            f"Expected the {len(named)} images that the structure set was drawn on in series {series.reference}, "
            f"{absent} are not there.",
            "Send the whole series again from the archive.",
        )


_CLOSED_KINDS = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_OPEN_KINDS = ("OPEN_PLANAR", "OPEN_NONPLANAR")
"""DICOM's other kinds of contour; anything else is free text and not shown."""


def _closed_contours(contours: Dataset) -> Iterator[NDArray[np.float64]]:
    """RAS+ millimetres (n, 3), n ≥ 3, of every contour of a region that encloses an area."""
    for contour in _items(contours, "ContourSequence"):
        kind = text(contour, "ContourGeometricType")
        if kind == "POINT":
            continue
        if kind not in _CLOSED_KINDS:
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


def _contour_items(mask: Mask, series: DicomSeries) -> Iterator[Dataset]:
    from skimage.measure import find_contours

    for k, header in enumerate(series.slices):
        for outline in find_contours(np.pad(mask.foreground[:, :, k], 1).astype(np.float32), 0.5):
            corners = outline[:-1] - 1.0  # closed contours repeat their first point; the padding moved them by one
            points = mask.grid.to_world(np.column_stack([corners, np.full(len(corners), k)])) * _LPS_TO_RAS
            yield _dataset(
                ContourImageSequence=[_reference_to_slice(header)],
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
    images = [_reference_to_slice(header) for header in series.slices]
    study = _reference_to("1.2.840.10008.3.1.2.3.1", series.study_uid)
    study.RTReferencedSeriesSequence = [_dataset(SeriesInstanceUID=series.series_uid, ContourImageSequence=images)]
    dataset.ReferencedFrameOfReferenceSequence = [
        _dataset(FrameOfReferenceUID=series.frame_of_reference_uid, RTReferencedStudySequence=[study])
    ]


def _reference_to_slice(header: SliceHeader) -> Dataset:
    reference = _reference_to(header.sop_class_uid, header.sop_instance_uid)
    if header.is_frame:
        reference.ReferencedFrameNumber = header.frame + 1
    return reference


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

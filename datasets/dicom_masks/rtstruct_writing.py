"""RTSTRUCT out: masks on one series' grid become closed contours on its slices."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.uid import RTStructureSetStorage, generate_uid

from datasets.dicom.file import read_dataset, without_warnings
from datasets.dicom.header import SliceHeader
from datasets.dicom.writing import file_meta, write_dataset
from datasets.dicom_series.series import DicomSeries, series_grid
from datasets.image.mask import Mask

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def write_rtstruct(path: Path, masks: Mapping[str, Mask], series: DicomSeries) -> None:
    """Writes masks as a minimal RTSTRUCT that refers to the series; patient and study are copied from its first slice.

    Contours run half-way between pixel centres, so that `read_structure_set` gives the same masks back. The same masks
    and series give the same bytes.

    Raises:
        GeometryError: A mask lies on another grid than the series.
        RejectedInput: What `series_grid` refuses, or a series that cannot be read.
    """
    grid = series_grid(series)
    for name, mask in masks.items():
        grid.require_match(mask.grid, what=f"Mask {name} of the series")
    with without_warnings():
        dataset = _structure_set(series, masks)
        write_dataset(path, dataset)


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
    dataset.file_meta = file_meta()
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

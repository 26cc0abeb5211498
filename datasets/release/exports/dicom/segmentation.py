"""A mask as a DICOM SEG on the slices of a series: a segment for each label that it holds, and never an empty one.

highdicom writes it; what it draws by chance or takes from the clock is replaced, so that the same mask gives the same
bytes.

Source: DICOM PS3.3 A.51 (Segmentation), A.92 (Label Map Segmentation), C.8.20.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import generate_uid

from datasets.dicom.file import without_warnings
from datasets.dicom.writing import file_meta, write_dataset
from datasets.release.describing.metadata.bids import software
from datasets.release.exports.dicom.derived_series import MANUFACTURER, NO_DATE
from datasets.release.exports.dicom.segment_codes import (
    Code,
    code_of_tissue,
    codes_of_label,
    codes_of_site,
    header_text,
)
from datasets.release.exports.dicom.segment_frames import slices_with_frames
from datasets.release.exports.options import SegmentForm

logging.getLogger("highdicom").setLevel(logging.CRITICAL)  # its messages quote identifiers

_SERIES_NUMBER = 100
_FORMS = {SegmentForm.BINARY: "BINARY", SegmentForm.LABEL_MAP: "LABELMAP"}


@dataclass(frozen=True)
class SegmentSubject:
    """What a segmentation says of its case.

    Args:
        labels: Name of each value of the mask.
        tissue_type: Tissue of origin.
        anatomical_site: In words.
        models: The models that drew for the people who made the mask.
        description: One line.
        seeds: What its UIDs come from.
    """

    labels: Mapping[int, str]
    tissue_type: str
    anatomical_site: str
    models: tuple[str, ...]
    description: str
    seeds: tuple[str, ...]


def write_segmentation(
    path: Path, data: NDArray[np.uint8], headers: Sequence[Dataset], *, subject: SegmentSubject, form: SegmentForm
) -> bool:
    """Writes a mask that holds at least one voxel.

    Args:
        path: Where to.
        data: (i = column, j = row, k = slice) uint8 on the grid of the series.
        headers: Of the slices along k.
        subject: What is said of the case.
        form: How segments are held.

    Returns:
        Whether its bits can be read one way only (`slices_with_frames`).
    """
    numbers = _numbers(data, subject.labels)
    pixels = _numbered(data, numbers, subject.labels)
    slices, is_read_one_way = list(range(len(pixels))), True
    if form is SegmentForm.BINARY:
        held = np.flatnonzero(pixels.any(axis=(1, 2))).tolist()
        slices, is_read_one_way = slices_with_frames(held, len(pixels), pixels=pixels[0].size, segments=len(numbers))
    with without_warnings():
        written = _segmentation(pixels, headers, numbers, slices=slices, subject=subject, form=form)
        _make_the_same(written, subject, headers[0])
        write_dataset(path, written, is_one_of_many=True)
    return is_read_one_way


def _numbers(data: NDArray[np.uint8], labels: Mapping[int, str]) -> dict[str, int]:
    held = set(np.unique(data).tolist())
    names = [name for value, name in sorted(labels.items()) if value in held]
    return {name: number for number, name in enumerate(names, start=1)}


def _numbered(data: NDArray[np.uint8], numbers: Mapping[str, int], labels: Mapping[int, str]) -> NDArray[np.uint8]:
    """Segment numbers (k, j, i), as frames lie in a file."""
    table = np.zeros(256, np.uint8)
    for value, name in labels.items():
        table[value] = numbers.get(name, 0)
    return np.ascontiguousarray(table[data].transpose(2, 1, 0))


def _segmentation(
    pixels: NDArray[np.uint8],
    headers: Sequence[Dataset],
    numbers: Mapping[str, int],
    *,
    slices: Sequence[int],
    subject: SegmentSubject,
    form: SegmentForm,
) -> Dataset:
    from highdicom.seg import Segmentation

    return Segmentation(
        source_images=[headers[k] for k in slices],
        pixel_array=pixels[slices],
        omit_empty_frames=form is SegmentForm.LABEL_MAP,
        further_source_images=[header for k, header in enumerate(headers) if k not in set(slices)] or None,
        segmentation_type=_FORMS[form],
        segment_descriptions=[_described(name, number, subject) for name, number in numbers.items()],
        series_instance_uid=generate_uid(entropy_srcs=[*subject.seeds, form, "series"]),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=generate_uid(entropy_srcs=[*subject.seeds, form, "object"]),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=software()["maskloop"],
        device_serial_number="1",
        content_label="MASK",
        content_description=header_text(subject.description),
        series_description="Mask",
    )


def _described(name: str, number: int, subject: SegmentSubject) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from pydicom.sr.codedict import codes

    of_label, tissue = codes_of_label(name), code_of_tissue(subject.tissue_type)
    region, side = codes_of_site(subject.anatomical_site)
    by_models = (
        AlgorithmIdentificationSequence(
            name=header_text(", ".join(subject.models)),
            family=codes.DCM.ArtificialIntelligence,
            version="see the release",
        )
        if subject.models
        else None
    )
    described = SegmentDescription(
        segment_number=number,
        segment_label=header_text(name),
        segmented_property_category=_coded(of_label.category),
        segmented_property_type=_coded(of_label.kind),
        algorithm_type=SegmentAlgorithmTypeValues.SEMIAUTOMATIC if by_models else SegmentAlgorithmTypeValues.MANUAL,
        algorithm_identification=by_models,
        anatomic_regions=[_coded(region)] if region else None,
        primary_anatomic_structures=[_coded(tissue)] if tissue else None,
    )
    if region and side:
        described.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [_item(side)]
    return described


def _coded(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)


def _item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    return item


def _make_the_same(dataset: Dataset, subject: SegmentSubject, source: Dataset) -> None:
    """Replaces what differs from one writing to the next: UIDs drawn by chance, and the time of writing."""
    drawn = str(dataset.DimensionOrganizationSequence[0].DimensionOrganizationUID)
    fixed = generate_uid(entropy_srcs=[*subject.seeds, "dimensions"])
    for element in dataset.iterall():
        if element.VR == "UI" and element.value == drawn:
            element.value = fixed
    date = str(source.get("ContentDate") or source.get("SeriesDate") or source.get("StudyDate") or NO_DATE)
    for keyword in ("ContentDate", "SeriesDate", "InstanceCreationDate"):
        if keyword in dataset:
            setattr(dataset, keyword, date)
    for keyword in ("ContentTime", "SeriesTime", "InstanceCreationTime"):
        if keyword in dataset:
            setattr(dataset, keyword, "000000")
    for equipment in dataset.get("ContributingEquipmentSequence", []):
        equipment.pop("ContributionDateTime", None)
    syntax = dataset.file_meta.TransferSyntaxUID
    dataset.file_meta = file_meta()
    dataset.file_meta.TransferSyntaxUID = syntax

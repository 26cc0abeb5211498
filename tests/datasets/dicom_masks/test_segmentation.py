"""DICOM SEG: another program's segmentation lands voxel by voxel on its own series, and on no other."""

import random
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import RLELossless

from datasets.dicom.header import read_header
from datasets.dicom_masks.segmentation import read_segment_set
from datasets.dicom_series.series import DicomSeries, group_series
from datasets.errors import RejectedInput
from datasets.finding import Level
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol
from tests.datasets.support.enhanced_files import stack, write_enhanced

SHAPE = (13, 9, 6)
"""117 pixels a frame: a binary object packs them in bits, and frames do not end at a byte."""

PROTOCOL = Protocol(
    name="t2", description="AX T2", size=13, slices=6, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip


def _grid(*, turn: float = 0.3, left_handed: bool = False) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine[:3, :3] = affine[:3, :3] @ np.diag([-0.8, -1.1, -4.0 if left_handed else 4.0])
    affine[:3, 3] = (31.0, 22.0, -7.0)
    return Grid(SHAPE, affine)


def _write_series(folder: Path, patient: str = "CANARY-1") -> DicomSeries:
    pixels = np.zeros(SHAPE, dtype=np.uint16)
    return write_protocol(folder, PROTOCOL, pixels, _grid(), identity=["seg", patient], name="Canary^Nightingale^^^")


@pytest.fixture
def series(tmp_path: Path) -> DicomSeries:
    return _write_series(tmp_path / "image")


def _regions() -> dict[str, NDArray[np.uint8]]:
    """Two regions that overlap, with empty slices before, between and after."""
    rng = np.random.default_rng(0)
    mass = (rng.random(SHAPE) > 0.5).astype(np.uint8)
    oedema = (rng.random(SHAPE) > 0.3).astype(np.uint8)
    mass[:, :, [0, 3, 5]] = 0
    oedema[:, :, :2] = 0
    return {"Mass": mass, "Oedema": oedema}


def write_segmentation(
    path: Path, regions: Mapping[str, NDArray[np.generic]], sources: list[Dataset], *, kind: str = "BINARY",
    **options: Any,
) -> Path:  # fmt: skip
    """Writes arrays (i, j, k) in the order of `sources` as a SEG, by highdicom."""
    segments = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Neoplasm,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, name in enumerate(regions, start=1)
    ]
    data = np.stack([region.transpose(2, 1, 0) for region in regions.values()], axis=-1)
    if kind == "LABELMAP":
        data = np.max(data * np.arange(1, len(segments) + 1, dtype=np.uint8), axis=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = highdicom.seg.Segmentation(
            source_images=sources,
            pixel_array=data,
            segmentation_type=kind,
            segment_descriptions=segments,
            series_instance_uid=highdicom.UID(),
            series_number=9,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="Peer",
            manufacturer_model_name="Peer",
            software_versions="1",
            device_serial_number="1",
            **options,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        written.save_as(path)
    return path


def _sources(series: DicomSeries) -> list[Dataset]:
    return [dcmread(path) for path in series.files]


def _edit(path: Path, change: Callable[[Dataset], object]) -> Path:
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


@pytest.fixture
def path(tmp_path: Path, series: DicomSeries) -> Path:
    return write_segmentation(tmp_path / "seg.dcm", _regions(), _sources(series))


def test_overlapping_segments_come_back_each_on_its_own(path: Path, series: DicomSeries) -> None:
    masks = read_segment_set(path, series).sound()
    assert list(masks) == ["Mass", "Oedema"]
    assert int(dcmread(path).NumberOfFrames) == 7  # empty frames are left out
    for name, region in _regions().items():
        assert masks[name].grid.matches(_grid())
        assert np.array_equal(masks[name].data, region)
        assert masks[name].labels == {1: name}


def _move_a_little(dataset: Dataset) -> None:
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        place[0] = float(place[0]) + 0.006


def test_pixels_a_little_aside_are_taken_and_said(path: Path, series: DicomSeries) -> None:
    _edit(path, _move_a_little)
    found = read_segment_set(path, series)
    assert [finding.code for finding in found.findings] == ["grid-drift"]
    assert np.array_equal(found.masks["Mass"].data, _regions()["Mass"])


def test_the_header_says_which_series_it_is_of(path: Path, series: DicomSeries) -> None:
    header = read_header(path)
    assert header.is_segmentation
    assert not header.is_image
    assert header.referenced_series == (series.series_uid,)
    assert group_series([header, *series.slices])[0].evidence == series.evidence
    assert len(group_series([header, *series.slices])) == 1


@pytest.mark.parametrize("compressed", [False, True])
def test_a_label_map_becomes_one_mask_a_label(tmp_path: Path, series: DicomSeries, compressed: bool) -> None:
    mass, oedema = _regions().values()
    apart = {"Mass": mass & (1 - oedema), "Oedema": oedema}
    path = write_segmentation(tmp_path / "seg.dcm", apart, _sources(series), kind="LABELMAP")
    if compressed:
        _edit(path, lambda dataset: dataset.compress(RLELossless, encoding_plugin="pydicom"))
    masks = read_segment_set(path, series).sound()
    assert all(np.array_equal(masks[name].data, region) for name, region in apart.items())


@pytest.mark.parametrize("padding", [None, 7])
def test_a_label_maps_background_is_no_region(tmp_path: Path, series: DicomSeries, padding: int | None) -> None:
    mass, oedema = _regions().values()
    apart = {"Mass": mass, "Oedema": (oedema & (1 - mass)).astype(np.uint8)}
    path = write_segmentation(tmp_path / "seg.dcm", apart, _sources(series), kind="LABELMAP")

    def describe_background(dataset: Dataset) -> None:
        background = Dataset.from_json(dataset.SegmentSequence[0].to_json())
        background.SegmentNumber, background.SegmentLabel = padding or 0, "Background"
        dataset.SegmentSequence.insert(0, background)
        if padding is not None:
            dataset.PixelPaddingValue = padding
            values = np.frombuffer(dataset.PixelData, np.uint8)
            dataset.PixelData = np.where(values == 0, padding, values).astype(np.uint8).tobytes()

    found = read_segment_set(_edit(path, describe_background), series)
    assert list(found.masks) == ["Mass", "Oedema"]
    assert all(np.array_equal(found.masks[name].data, region) for name, region in apart.items())
    assert found.findings == ()


def test_a_segment_numbered_zero_is_no_region_and_it_is_said(path: Path, series: DicomSeries) -> None:
    def number_from_zero(dataset: Dataset) -> None:
        for segment in dataset.SegmentSequence:
            segment.SegmentNumber -= 1
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber -= 1

    found = read_segment_set(_edit(path, number_from_zero), series)
    assert list(found.masks) == ["Oedema"]
    assert [(finding.level, finding.code) for finding in found.findings] == [(Level.WARNING, "seg-background")]


def test_fractions_are_cut_in_half_and_it_is_said(tmp_path: Path, series: DicomSeries) -> None:
    fractions = np.linspace(0, 1, np.prod(SHAPE)).reshape(SHAPE)
    path = write_segmentation(
        tmp_path / "seg.dcm", {"Mass": fractions}, _sources(series), kind="FRACTIONAL", max_fractional_value=200
    )
    found = read_segment_set(path, series)
    assert np.array_equal(found.masks["Mass"].data, np.rint(fractions * 200) >= 100)
    assert [(finding.level, finding.code) for finding in found.findings] == [(Level.WARNING, "seg-fractional")]


def test_frames_go_by_position_and_not_by_order(path: Path, series: DicomSeries) -> None:
    dataset = dcmread(path)
    order = list(range(int(dataset.NumberOfFrames)))
    random.Random(0).shuffle(order)
    pixels = dataset.pixel_array[order]
    dataset.PerFrameFunctionalGroupsSequence = [dataset.PerFrameFunctionalGroupsSequence[n] for n in order]
    dataset.PixelData = np.packbits(pixels.ravel(), bitorder="little").tobytes()
    dataset.PixelData += b"\0" * (len(dataset.PixelData) % 2)
    dataset.save_as(path)
    masks = read_segment_set(path, series).sound()
    assert all(np.array_equal(masks[name].data, region) for name, region in _regions().items())


def test_an_object_drawn_on_turned_and_cropped_pictures_lands_right(path: Path, series: DicomSeries) -> None:
    """Every frame mirrored left to right, transposed, and without its first two rows: the same voxels."""
    dataset = dcmread(path)
    frames = dataset.pixel_array[:, 2:, ::-1].transpose(0, 2, 1)  # columns become rows
    spacing = _grid().spacing
    (orientation,) = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    row, column = np.array(orientation.ImageOrientationPatient, dtype=float).reshape(2, 3)
    orientation.ImageOrientationPatient = [f"{value:.9f}" for value in (*column, *-row)]
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [spacing[0], spacing[1]]
    for group in dataset.PerFrameFunctionalGroupsSequence:
        (place,) = group.PlanePositionSequence
        moved = np.array(place.ImagePositionPatient, dtype=float) + row * 12 * spacing[0] + column * 2 * spacing[1]
        place.ImagePositionPatient = [f"{value:.8g}" for value in moved]
    dataset.Rows, dataset.Columns = frames.shape[1:]
    dataset.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    dataset.PixelData += b"\0" * (len(dataset.PixelData) % 2)
    dataset.save_as(path)
    masks = read_segment_set(path, series).sound()
    for name, region in _regions().items():
        expected = region.copy()
        expected[:, :2] = 0
        assert np.array_equal(masks[name].data, expected)


def test_a_segmentation_of_an_enhanced_series_is_read(tmp_path: Path) -> None:
    frames = stack(_grid(), np.zeros(SHAPE, dtype=np.uint16))
    image = write_enhanced(tmp_path / "image.dcm", frames, identity=["seg", "CANARY-3"], change=_complete)
    (series,) = group_series([read_header(image)])
    path = write_segmentation(tmp_path / "seg.dcm", _regions(), [dcmread(image)])
    masks = read_segment_set(path, series).sound()
    assert all(np.array_equal(masks[name].data, region) for name, region in _regions().items())


def _complete(dataset: Dataset) -> None:
    """What highdicom wants of a source: fields to copy, and the orientation among what all frames share."""
    for group in dataset.PerFrameFunctionalGroupsSequence:
        dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = group.PlaneOrientationSequence
        del group.PlaneOrientationSequence
    for keyword in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
                    "ReferringPhysicianName"):  # fmt: skip
        setattr(dataset, keyword, "")
    dataset.PatientName = "Canary^Nightingale^^^"


def test_names_come_from_labels_or_property_types_and_stay_apart(path: Path, series: DicomSeries) -> None:
    def rename(dataset: Dataset) -> None:
        for segment in dataset.SegmentSequence:
            segment.SegmentLabel = ""

    assert list(read_segment_set(_edit(path, rename), series).sound()) == ["Neoplasm", "Neoplasm (2)"]


def test_a_segment_without_a_voxel_is_left_out_and_named(tmp_path: Path, series: DicomSeries) -> None:
    regions = _regions() | {"Oedema": np.zeros(SHAPE, dtype=np.uint8)}
    found = read_segment_set(write_segmentation(tmp_path / "seg.dcm", regions, _sources(series)), series)
    assert list(found.masks) == ["Mass"]
    assert [(finding.code, finding.subject) for finding in found.findings] == [("seg-segment-empty", "segment 2")]


def _first(dataset: Dataset) -> Dataset:
    return dataset.PerFrameFunctionalGroupsSequence[0]


def _move(dataset: Dataset, *, axis: int, millimetres: float) -> None:
    place = _first(dataset).PlanePositionSequence[0]
    position = np.array(place.ImagePositionPatient, dtype=float)
    position[axis] += millimetres
    place.ImagePositionPatient = [f"{value:.8g}" for value in position]


def _forget_sources(dataset: Dataset) -> None:
    del dataset.ReferencedSeriesSequence
    for group in (*dataset.SharedFunctionalGroupsSequence, *dataset.PerFrameFunctionalGroupsSequence):
        group.pop("DerivationImageSequence", None)


def _name_other_sources(dataset: Dataset) -> None:
    del dataset.ReferencedSeriesSequence
    for group in dataset.PerFrameFunctionalGroupsSequence:
        for source in group.DerivationImageSequence[0].SourceImageSequence:
            source.ReferencedSOPInstanceUID = "1.2.3.4"


def _repeat_frame(dataset: Dataset) -> None:
    dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence = _first(dataset).PlanePositionSequence


def _widen(dataset: Dataset) -> None:
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [1.1, 0.9]


EDITS: list[tuple[str, Callable[[Dataset], object]]] = [
    ("seg-other-frame", lambda dataset: setattr(dataset, "FrameOfReferenceUID", "1.2.3")),
    ("seg-other-series", lambda d: setattr(d.ReferencedSeriesSequence[0], "SeriesInstanceUID", "1.2.3")),
    ("seg-other-series", _name_other_sources),
    ("seg-other-grid", lambda dataset: _move(dataset, axis=2, millimetres=2.0)),
    ("seg-other-grid", lambda dataset: _move(dataset, axis=2, millimetres=-400.0)),
    ("seg-other-grid", lambda dataset: _move(dataset, axis=0, millimetres=0.4)),
    ("seg-other-grid", lambda dataset: _move(dataset, axis=0, millimetres=80.0)),
    ("seg-other-grid", lambda dataset: _move(dataset, axis=0, millimetres=0.07)),
    ("seg-other-grid", _widen),
    ("seg-no-geometry", lambda dataset: delattr(_first(dataset), "PlanePositionSequence")),
    ("seg-frame-twice", _repeat_frame),
    ("seg-frames", lambda dataset: setattr(dataset, "NumberOfFrames", 2**31 - 1)),
    ("seg-frames", lambda dataset: dataset.PerFrameFunctionalGroupsSequence.pop()),
    ("dicom-pixels-unreadable", lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:8])),
    ("dicom-no-pixels", lambda dataset: delattr(dataset, "PixelData")),
]


@pytest.mark.parametrize(("code", "edit"), EDITS)
def test_an_unsound_segmentation_is_refused_by_name(
    path: Path, series: DicomSeries, code: str, edit: Callable[[Dataset], object]
) -> None:
    with pytest.raises(RejectedInput) as caught:
        read_segment_set(_edit(path, edit), series).sound()
    assert caught.value.code == code
    assert "anary" not in str(caught.value)


def test_another_series_and_another_object_are_refused(tmp_path: Path, path: Path, series: DicomSeries) -> None:
    other = _write_series(tmp_path / "other", "CANARY-2")
    for file, of, code in ((path, other, "seg-other-frame"), (series.files[0], series, "seg-other-object")):
        with pytest.raises(RejectedInput) as caught:
            read_segment_set(file, of).sound()
        assert caught.value.code == code


def test_one_that_names_no_source_is_taken_by_its_position_and_it_is_said(path: Path, series: DicomSeries) -> None:
    found = read_segment_set(_edit(path, _forget_sources), series)
    assert np.array_equal(found.masks["Mass"].data, _regions()["Mass"])
    assert [finding.code for finding in found.findings] == ["seg-by-position"]

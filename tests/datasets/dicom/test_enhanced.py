"""Enhanced MR: every frame goes where its functional groups say; kinds, times and copies are never merged silently."""

import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from datasets.dicom.header import Plane, read_header
from datasets.dicom_series.series import DicomSeries, group_series, read_series, series_grid
from datasets.errors import RejectedInput
from datasets.finding import Level
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol
from tests.datasets.support.enhanced_files import Frame, stack, write_enhanced

SHAPE = (7, 5, 6)
IDENTITY = ["enhanced", "CANARY-ID"]
PIXELS = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)


def _grid(*, spacing: float = 4.0, turn: float = 0.2) -> Grid:
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine[:3, :3] = affine[:3, :3] @ np.diag([-0.8, -1.1, spacing])
    affine[:3, 3] = (31.0, 22.0, -7.0)
    return Grid(SHAPE, affine)


def _sagittal() -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0.0, 0.0, 4.0], [-0.8, 0.0, 0.0], [0.0, -1.1, 0.0]])
    return Grid(SHAPE, affine)


def _read(path: Path) -> tuple[DicomSeries, ...]:
    return group_series([read_header(path)])


def _only(path: Path) -> DicomSeries:
    (series,) = _read(path)
    return series


def test_grid_voxels_and_scales_come_back_whatever_the_frames_order(tmp_path: Path) -> None:
    frames = [
        Frame(_grid(), k, PIXELS[:, :, k], rescale=(1.0 + k, -10.0 * k)) for k in range(SHAPE[2])
    ]  # fmt: skip
    random.Random(1).shuffle(frames)
    path = write_enhanced(tmp_path / "a.dcm", frames, identity=IDENTITY)
    series = _only(path)
    volume = read_series(series)
    assert volume.grid.matches(_grid())
    k = np.arange(SHAPE[2])
    assert np.array_equal(volume.data, PIXELS * (1.0 + k) - 10.0 * k)
    assert series.files == (path,)
    assert series.split_by == ()
    assert series.findings == ()


def test_evidence_has_the_words_of_classic_headers(tmp_path: Path) -> None:
    modifier = {"InversionRecovery": "YES", "InversionTimes": 160.0, "SpectrallySelectedSuppression": "FAT"}
    path = write_enhanced(tmp_path / "a.dcm", stack(_grid(), PIXELS, modifier=modifier), identity=IDENTITY)
    evidence = _only(path).evidence
    assert (evidence.repetition_time_ms, evidence.echo_time_ms, evidence.inversion_time_ms) == (4000.0, 80.0, 160.0)
    assert (evidence.scanning_sequence, evidence.scan_options) == (("SE", "IR"), ("FS",))
    assert evidence.image_type == ("ORIGINAL", "PRIMARY", "T2", "NONE")
    assert (evidence.flip_angle, evidence.echo_train_length, evidence.sequence_name) == (150.0, 15, "TSE")
    assert (evidence.mr_acquisition_type, evidence.field_strength_t) == ("2D", 3.0)
    assert (evidence.plane, evidence.slice_count) == (Plane.AXIAL, 6)
    assert evidence.spacing == pytest.approx((0.8, 1.1, 4.0), abs=1e-6)
    assert evidence.coverage_mm == pytest.approx(24.0)
    assert str(evidence.acquisition_time) == "2020-01-02 10:11:12"


@pytest.mark.parametrize(
    ("given", "agent", "expected"),
    [("YES", "Gadobutrol", "Gadobutrol"), ("YES", "", "administered"), ("NO", "Gadobutrol", ""), ("", "", "")],
)
def test_contrast_is_what_the_frames_were_taken_with(tmp_path: Path, given: str, agent: str, expected: str) -> None:
    def name_agent(dataset: Dataset) -> None:
        if agent:
            item = Dataset()
            item.CodeMeaning = agent
            dataset.ContrastBolusAgentSequence = [item]

    frames = stack(_grid(), PIXELS, contrast_given=given)
    path = write_enhanced(tmp_path / "a.dcm", frames, identity=IDENTITY, change=name_agent)
    assert _only(path).evidence.contrast_agent == expected


@pytest.mark.parametrize(
    ("one", "other", "by"),
    [
        ({"echo_time_ms": 12.0}, {"echo_time_ms": 90.0}, "echo_time"),
        ({}, {"component": "PHASE"}, "image_type"),
        (
            {"image_type": ("ORIGINAL", "PRIMARY", "DIXON", "WATER")},
            {"image_type": ("ORIGINAL", "PRIMARY", "DIXON", "FAT")},
            "image_type",
        ),
        ({"modifier": {"SpectrallySelectedSuppression": "FAT"}}, {}, "scan_options"),
        ({}, {"temporal_position": 2}, "temporal_position"),
    ],
)
def test_kinds_of_frames_in_one_object_become_series(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any], by: str
) -> None:
    frames = stack(_grid(), PIXELS, **one) + stack(_grid(), PIXELS + 1000, **other)
    random.Random(2).shuffle(frames)
    found = _read(write_enhanced(tmp_path / "a.dcm", frames, identity=IDENTITY))
    assert [series.split_by for series in found] == [(by,), (by,)]
    assert found[1].reference == found[0].reference + "-2"
    read = sorted((read_series(series) for series in found), key=lambda volume: float(volume.data.max()))
    for volume, expected in zip(read, (PIXELS, PIXELS + 1000), strict=True):
        assert volume.grid.matches(_grid())
        assert np.array_equal(volume.data, expected)


def test_orientations_and_stacks_of_one_object_become_series(tmp_path: Path) -> None:
    far = Grid(SHAPE, _grid().affine + np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0.5], [0, 0, 0, 0]]))
    frames = [
        *stack(_grid(), PIXELS),
        *stack(_sagittal(), PIXELS, stack="2"),
        *stack(far, PIXELS + 500, stack="3"),
    ]
    found = _read(write_enhanced(tmp_path / "a.dcm", frames, identity=IDENTITY))
    assert {series.split_by for series in found} == {("orientation",), ("orientation", "stack")}
    assert [series.evidence.plane for series in found] == [Plane.AXIAL, Plane.SAGITTAL, Plane.AXIAL]
    for series, grid in zip(found, (_grid(), _sagittal(), far), strict=True):
        assert series_grid(series).matches(grid)
        assert not series.findings


def _moved(k: int, by: float) -> list[Frame]:
    frames = stack(_grid(), PIXELS)
    affine = _grid().affine.copy()
    affine[2, 3] += by
    frames[k] = Frame(Grid(SHAPE, affine), k, PIXELS[:, :, k])
    return frames


@pytest.mark.parametrize(
    ("code", "frames"),
    [
        ("series-missing-slices", lambda: [frame for frame in stack(_grid(), PIXELS) if frame.k != 2]),
        ("series-duplicate-slices", lambda: [*stack(_grid(), PIXELS), Frame(_grid(), 3, PIXELS[:, :, 2])]),
        ("series-uneven-slices", lambda: _moved(3, 1.0)),
        ("series-single-slice", lambda: stack(_grid(), PIXELS)[:1]),
    ],
)
def test_unsound_stacks_of_frames_are_refused_like_classic_ones(
    tmp_path: Path, code: str, frames: Callable[[], list[Frame]]
) -> None:
    path = write_enhanced(tmp_path / "a.dcm", frames(), identity=IDENTITY)
    with pytest.raises(RejectedInput) as caught:
        read_series(_only(path))
    assert caught.value.code == code


def test_a_frame_that_stands_twice_is_used_once_and_said(tmp_path: Path) -> None:
    frames = [*stack(_grid(), PIXELS), Frame(_grid(), 3, PIXELS[:, :, 3])]
    series = _only(write_enhanced(tmp_path / "a.dcm", frames, identity=IDENTITY))
    assert np.array_equal(read_series(series).data, PIXELS)
    assert [finding.code for finding in series.findings] == ["series-slices-twice"]


def _lose_groups(dataset: Dataset) -> None:
    dataset.PerFrameFunctionalGroupsSequence = dataset.PerFrameFunctionalGroupsSequence[:-1]


def _claim_frames(dataset: Dataset) -> None:
    dataset.NumberOfFrames = 2**31 - 1


@pytest.mark.parametrize("change", [_lose_groups, _claim_frames])
def test_other_numbers_of_frames_than_declared_are_refused(tmp_path: Path, change: Callable[[Dataset], object]) -> None:
    path = write_enhanced(tmp_path / "a.dcm", stack(_grid(), PIXELS), identity=IDENTITY, change=change)
    with pytest.raises(RejectedInput) as caught:
        read_header(path)
    assert caught.value.code == "enhanced-frames"


def test_too_few_pixels_are_refused(tmp_path: Path) -> None:
    def cut(dataset: Dataset) -> None:
        dataset.PixelData = dataset.PixelData[:100]

    path = write_enhanced(tmp_path / "a.dcm", stack(_grid(), PIXELS), identity=IDENTITY, change=cut)
    with pytest.raises(RejectedInput) as caught:
        read_series(_only(path))
    assert caught.value.code == "dicom-pixels-unreadable"


def test_nothing_shown_names_the_patient(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        series = _only(write_enhanced(tmp_path / "a.dcm", stack(_grid(), PIXELS), identity=IDENTITY))
        read_series(series)
    shown = repr(series) + repr(series.slices) + caplog.text
    for secret in ("Canary", "CANARY", series.series_uid, series.slices[0].sop_instance_uid, "2020"):
        assert secret not in shown


PROTOCOL = Protocol(
    name="t2", description="AX T2", size=7, slices=6, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip


def _classic(folder: Path) -> DicomSeries:
    return write_protocol(folder, PROTOCOL, PIXELS, _grid(), identity=IDENTITY, name="Canary^Nightingale^^^")


@pytest.fixture
def converted(tmp_path: Path) -> tuple[DicomSeries, Path]:
    """A classic series, and the same converted by another program."""
    classic = _classic(tmp_path / "classic")
    legacy = highdicom.legacy.LegacyConvertedEnhancedMRImage(
        [dcmread(path) for path in classic.files],
        series_instance_uid=highdicom.UID(),
        series_number=5,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
    )
    path = tmp_path / "legacy.dcm"
    legacy.save_as(path)
    return classic, path


def test_an_object_converted_by_another_program_says_what_the_classic_files_said(
    converted: tuple[DicomSeries, Path],
) -> None:
    classic, path = converted
    series = _only(path)
    volume = read_series(series)
    assert volume.grid.matches(_grid())
    assert np.array_equal(volume.data, PIXELS)
    for field in ("repetition_time_ms", "echo_time_ms", "scanning_sequence", "scan_options", "spacing", "plane",
                  "echo_train_length", "mr_acquisition_type", "field_strength_t"):  # fmt: skip
        assert getattr(series.evidence, field) == getattr(classic.evidence, field), field


def test_classic_and_enhanced_copies_stay_apart_and_are_named(converted: tuple[DicomSeries, Path]) -> None:
    classic, path = converted
    found = group_series([*classic.slices, read_header(path)])
    assert [series.evidence.slice_count for series in found] == [6, 6]
    for series in found:
        assert [(finding.level, finding.code) for finding in series.findings] == [(Level.WARNING, "series-twice")]
        assert series_grid(series).matches(_grid())


def test_classic_and_enhanced_files_of_one_series_uid_are_split(converted: tuple[DicomSeries, Path]) -> None:
    classic, path = converted
    dataset = dcmread(path)
    dataset.SeriesInstanceUID = classic.series_uid
    dataset.save_as(path)
    found = group_series([*classic.slices, read_header(path)])
    assert [series.split_by for series in found] == [("sop_class",), ("sop_class",)]
    assert [series.findings[0].code for series in found] == ["series-twice", "series-twice"]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("enhanced")


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    left_handed=st.booleans(),
    is_enhanced=st.booleans(),
    order=st.permutations(range(SHAPE[2])),
)
def test_every_voxel_keeps_its_place_however_the_stack_is_turned(
    scratch: Path, angles: tuple[float, float, float], left_handed: bool, is_enhanced: bool, order: list[int]
) -> None:
    affine = np.eye(4)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        affine[:3, :3] = affine[:3, :3] @ step
    affine[:3, :3] = affine[:3, :3] @ np.diag([0.8, 1.1, -4.0 if left_handed else 4.0])
    affine[:3, 3] = (-20.0, 35.5, 410.25)
    grid = Grid(SHAPE, affine)
    if is_enhanced:
        frames = stack(grid, PIXELS)
        series = _only(write_enhanced(scratch / "a.dcm", [frames[k] for k in order], identity=IDENTITY))
    else:
        slices = write_protocol(scratch / "classic", PROTOCOL, PIXELS, grid, identity=IDENTITY, name="A").slices
        (series,) = group_series(slices[k] for k in order)
    volume = read_series(series)
    assert np.linalg.det(volume.grid.affine) > 0
    places = np.array(list(np.ndindex(*SHAPE)))
    voxels = volume.grid.to_voxel(grid.to_world(places))
    assert np.abs(voxels - np.rint(voxels)).max() < 1e-3
    assert np.array_equal(volume.data[tuple(np.rint(voxels).astype(int).T)], PIXELS[tuple(places.T)])

"""Classic series: the grid is where the headers say, unsound stacks are refused by name, nothing names a patient."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from datasets.dicom.file import looks_like_dicom
from datasets.dicom.header import Plane, plane_of, read_header
from datasets.dicom_series.series import DicomSeries, files_digest, group_series, read_series, series_grid
from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol

CANARY = "Canary^Nightingale"
STS = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "sts" / "dicom"

PROTOCOL = Protocol(
    name="t2", description="AX T2", size=8, slices=6, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip
PIXELS = np.arange(8 * 10 * 6, dtype=np.uint16).reshape(8, 10, 6)


def _grid() -> Grid:
    """Axial, turned by 10 degrees about z, columns to the left, rows to the back."""
    turn = np.radians(10)
    affine = np.eye(4)
    affine[:2, :2] = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine[:3, :3] = affine[:3, :3] @ np.diag([-0.8, -1.1, 4.0])
    affine[:3, 3] = (31.0, 22.0, -7.0)
    return Grid((8, 10, 6), affine)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_protocol(tmp_path, PROTOCOL, PIXELS, _grid(), identity=["test", "CANARY-ID"], name=CANARY)
    return tmp_path


def _series(folder: Path) -> DicomSeries:
    (series,) = group_series(read_header(path) for path in sorted(folder.iterdir()))
    return series


def _edit(folder: Path, number: int, change: Callable[[Dataset], object]) -> None:
    path = folder / f"IM{number:04d}.dcm"
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)


def test_grid_and_voxels_come_back(folder: Path) -> None:
    volume = read_series(_series(folder))
    assert volume.grid.matches(_grid())
    assert np.linalg.det(volume.grid.affine) > 0
    assert volume.data.dtype == np.float32
    assert (volume.data == PIXELS).all()


def test_evidence_is_read(folder: Path) -> None:
    evidence = _series(folder).evidence
    assert (evidence.modality, evidence.scan_options, evidence.scanning_sequence) == ("MR", ("FS",), ("SE",))
    assert (evidence.repetition_time_ms, evidence.echo_time_ms, evidence.inversion_time_ms) == (4000.0, 80.0, None)
    assert (evidence.plane, evidence.slice_count) == (Plane.AXIAL, 6)
    assert evidence.spacing == pytest.approx((0.8, 1.1, 4.0), abs=1e-6)
    assert evidence.coverage_mm == pytest.approx(24.0)
    assert (evidence.mr_acquisition_type, evidence.echo_train_length, evidence.field_strength_t) == ("2D", 12, 1.5)
    assert (evidence.temporal_positions, evidence.number_of_echoes, evidence.burned_in_annotation) == (1, 1, "")
    assert evidence.sop_class == "1.2.840.10008.5.1.4.1.1.4"
    assert evidence.acquisition_time == datetime(2020, 1, 1, 12)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"AcquisitionDateTime": "20200103101112.5+0100"}, datetime(2020, 1, 3, 10, 11, 12)),
        ({"AcquisitionDate": "20200104", "AcquisitionTime": "0930"}, datetime(2020, 1, 4, 9, 30)),
        ({"AcquisitionDate": "20201399", "SeriesTime": "130000"}, datetime(2020, 1, 1, 13)),
        ({"SeriesDate": "", "StudyDate": ""}, None),
    ],
)
def test_the_time_of_acquisition_falls_back_to_series_and_study(
    folder: Path, fields: dict[str, str], expected: datetime | None
) -> None:
    _edit(folder, 1, lambda dataset: [setattr(dataset, keyword, value) for keyword, value in fields.items()])
    evidence = read_header(folder / "IM0001.dcm").evidence
    assert evidence.acquisition_time == expected
    assert "2020" not in repr(evidence)


def test_order_of_files_does_not_matter(folder: Path) -> None:
    headers = [read_header(path) for path in sorted(folder.iterdir())]
    (mixed,) = group_series(headers[i] for i in (3, 0, 5, 1, 4, 2))
    assert [header.sop_instance_uid for header in mixed.slices] == [header.sop_instance_uid for header in headers]
    assert files_digest(mixed.files) == files_digest(reversed(mixed.files))


def test_digest_changes_with_one_bit(folder: Path) -> None:
    before = files_digest(_series(folder).files)
    path = folder / "IM0002.dcm"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert files_digest(_series(folder).files) != before


def test_each_slice_is_rescaled_by_its_own_slope(folder: Path) -> None:
    def rescale(dataset: Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-10"

    _edit(folder, 3, rescale)
    data = read_series(_series(folder)).data
    assert (data[:, :, 2] == PIXELS[:, :, 2] * 2.0 - 10).all()
    assert (data[:, :, 3] == PIXELS[:, :, 3]).all()


def _drop_pixels(dataset: Dataset) -> None:
    del dataset.PixelData


def _move(dataset: Dataset, *, millimetres: float) -> None:
    position = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [position[0], position[1], position[2] + millimetres]


def _shift_sideways(dataset: Dataset, *, millimetres: float) -> None:
    position = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [position[0] + millimetres, position[1], position[2]]


def _halve(dataset: Dataset) -> None:
    dataset.Rows, dataset.PixelData = 5, dataset.PixelData[: 5 * 8 * 2]


EDITS: dict[str, Callable[[Dataset], object]] = {
    "dicom-no-pixels": _drop_pixels,
    "dicom-pixels-unreadable": lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:20]),
    "dicom-pixels-differ": lambda dataset: setattr(dataset, "RescaleSlope", "0"),
    "series-mixed-sizes": _halve,
    "series-duplicate-slices": lambda dataset: _move(dataset, millimetres=-4.0),
    "series-uneven-slices": lambda dataset: _move(dataset, millimetres=1.0),
    "series-tilted": lambda dataset: _shift_sideways(dataset, millimetres=0.5),
    "series-origin-far": lambda dataset: _shift_sideways(dataset, millimetres=1e30),
    "series-multi-frame": lambda dataset: setattr(dataset, "NumberOfFrames", "2"),
    "series-colour": lambda dataset: setattr(dataset, "SamplesPerPixel", 3),
    "series-no-geometry": lambda dataset: delattr(dataset, "ImagePositionPatient"),
}


@pytest.mark.parametrize("code", EDITS)
def test_an_unsound_series_is_refused_by_name(folder: Path, code: str) -> None:
    _edit(folder, 4, EDITS[code])
    with pytest.raises(RejectedInput) as caught:
        read_series(_series(folder))
    assert caught.value.code == code
    _expect_no_patient(str(caught.value), folder)


def test_pictures_that_claim_to_be_huge_cost_no_memory(folder: Path) -> None:
    for number in range(1, 7):
        _edit(folder, number, lambda dataset: setattr(dataset, "Rows", 65535) or setattr(dataset, "Columns", 65535))
    with pytest.raises(RejectedInput) as caught:
        read_series(_series(folder))
    assert caught.value.code == "declared-too-large"


def test_a_missing_slice_is_refused_and_counted(folder: Path) -> None:
    (folder / "IM0003.dcm").unlink()
    with pytest.raises(RejectedInput, match=r"8\.00 mm, 1 missing between slices 2 and 3 of 5") as caught:
        series_grid(_series(folder))
    assert caught.value.code == "series-missing-slices"


@pytest.mark.parametrize("spacing", [[1e10, 1e10], [1.0, 0.009]])
def test_pixels_that_no_scanner_makes_are_refused(folder: Path, spacing: list[float]) -> None:
    for number in range(1, 7):
        _edit(folder, number, lambda dataset: setattr(dataset, "PixelSpacing", spacing))
    with pytest.raises(RejectedInput) as caught:
        series_grid(_series(folder))
    assert caught.value.code == "series-spacing-range"


def test_slices_that_lie_metres_apart_are_refused(folder: Path) -> None:
    for number in range(1, 7):
        _edit(folder, number, lambda dataset, n=number: _move(dataset, millimetres=1000.0 * n))
    with pytest.raises(RejectedInput) as caught:
        series_grid(_series(folder))
    assert caught.value.code == "series-spacing-range"


def test_a_gantry_tilt_is_refused(folder: Path) -> None:
    for number in range(1, 7):
        _edit(folder, number, lambda dataset, n=number: _shift_sideways(dataset, millimetres=0.7 * n))
    with pytest.raises(RejectedInput) as caught:
        series_grid(_series(folder))
    assert caught.value.code == "series-tilted"


def test_one_slice_is_no_stack(folder: Path) -> None:
    for number in range(2, 7):
        (folder / f"IM{number:04d}.dcm").unlink()
    with pytest.raises(RejectedInput) as caught:
        series_grid(_series(folder))
    assert caught.value.code == "series-single-slice"


def test_only_duplicates_are_refused_without_a_crash(folder: Path) -> None:
    for number in range(2, 7):
        _edit(folder, number, lambda dataset, n=number: _move(dataset, millimetres=-4.0 * (n - 1)))
    with pytest.raises(RejectedInput) as caught:
        series_grid(_series(folder))
    assert caught.value.code == "series-duplicate-slices"


def test_orientations_of_one_series_are_kept_apart(folder: Path) -> None:
    for number in (1, 2):
        _edit(folder, number, lambda dataset: setattr(dataset, "ImageOrientationPatient", [0, 1, 0, 0, 0, -1]))
    groups = group_series(read_header(path) for path in sorted(folder.iterdir()))
    assert [(group.evidence.plane, group.evidence.slice_count) for group in groups] == [
        (Plane.SAGITTAL, 2),
        (Plane.AXIAL, 4),
    ]
    assert groups[1].reference == groups[0].reference + "-2"


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 60, bytes(range(256)) * 4],
    ids=["empty", "magic only", "magic and garbage", "not DICOM"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"{CANARY}.dcm"
    path.write_bytes(content)
    with pytest.raises(RejectedInput) as caught:
        read_header(path)
    assert caught.value.code == ("dicom-unreadable" if content else "file-empty")
    _expect_no_patient(str(caught.value), path)
    assert looks_like_dicom(path) is content[128:].startswith(b"DICM")


def test_damaged_values_are_absent_values_and_nothing_is_logged(
    folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    path = folder / "IM0001.dcm"
    content = path.read_bytes()
    damaged = content.replace(b"4000.0", b"Nighti").replace(b"80.0", b"n,n\\")
    assert damaged != content
    path.write_bytes(damaged)
    with caplog.at_level(logging.DEBUG):
        evidence = read_header(path).evidence
    assert evidence.repetition_time_ms is None
    assert evidence.echo_time_ms is None
    assert "Nighti" not in caplog.text
    assert "Nighti" not in "".join(capfd.readouterr())


def test_nothing_shown_names_the_patient(folder: Path) -> None:
    series = _series(folder)
    _expect_no_patient(repr(series) + repr(series.slices[0]) + series.reference, folder)
    assert series.series_uid not in repr(series)


@pytest.mark.parametrize(
    ("normal", "plane"),
    [
        ((0, 0, -2), Plane.AXIAL),
        ((0, 0.4, 1), Plane.AXIAL),
        ((0, 0.8, 1), Plane.OBLIQUE),
        ((0, 1, 0.1), Plane.CORONAL),
        ((-1, 0, 0), Plane.SAGITTAL),
        ((0, 0, 0), Plane.UNKNOWN),
    ],
)
def test_planes(normal: tuple[float, float, float], plane: Plane) -> None:
    assert plane_of(np.array(normal, dtype=np.float64)) is plane


@pytest.mark.slow
@pytest.mark.skipif(not STS.is_dir(), reason="the sarcoma data are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("STS_001/MR_T1", "512 x 512 x 40 voxels of 0.391 x 0.391 x 5.2 mm"),
        ("STS_001/MR_T2", "384 x 384 x 40 voxels of 0.523 x 0.523 x 5.2 mm"),
        ("STS_002/MR_T1", "115 x 90 x 35 voxels of 0.977 x 0.977 x 3.27 mm"),
        ("STS_003/MR_T1", "121 x 138 x 47 voxels of 0.977 x 0.977 x 3.27 mm"),
    ],
)
def test_real_series_agree_with_simpleitk(name: str, described: str) -> None:
    import SimpleITK

    series = _series(STS / name / "image")
    volume = read_series(series)
    assert volume.grid.describe() == described
    peer = SimpleITK.ReadImage([str(path) for path in series.files])
    assert np.array_equal(SimpleITK.GetArrayFromImage(peer).T, volume.data)
    corner = (volume.grid.shape[0] - 1, 3, volume.grid.shape[2] - 1)
    expected = np.array(peer.TransformIndexToPhysicalPoint(corner)) * (-1, -1, 1)
    assert np.allclose(volume.grid.to_world(corner), expected, atol=0.01)


def _expect_no_patient(shown: str, path: Path) -> None:
    for secret in (CANARY, "Canary", "Nightingale", "CANARY-ID", str(path), path.name):
        assert secret not in shown


@pytest.mark.parametrize(
    ("agent", "volume", "item", "expected"),
    [("", None, None, ""), ("", 0.0, None, ""), ("", 15.0, None, "administered"), ("", None, "", "administered"),
     ("", None, "Gadobutrol", "Gadobutrol"), ("Dotarem", 15.0, "Gadobutrol", "Dotarem")],
)  # fmt: skip
def test_contrast_agent_is_found_wherever_the_scanner_wrote_it(
    folder: Path, agent: str, volume: float | None, item: str | None, expected: str
) -> None:
    def give(dataset: Dataset) -> None:
        dataset.ContrastBolusAgent = agent
        if volume is not None:
            dataset.ContrastBolusVolume = volume
        if item is not None:
            given = Dataset()
            given.CodeMeaning = item
            dataset.ContrastBolusAgentSequence = [given]

    _edit(folder, 1, give)
    assert read_header(folder / "IM0001.dcm").evidence.contrast_agent == expected

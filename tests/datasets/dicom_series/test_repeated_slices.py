"""Duplicate slices are used once with a finding; two at one place with different pixels are refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import RLELossless

from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_masks.rtstruct_writing import write_rtstruct
from datasets.dicom_series.series import DicomSeries, group_series, read_series, series_grid
from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol

GRID = Grid((8, 10, 6), np.diag([-0.8, -1.1, 4.0, 1.0]))
PIXELS = np.arange(480, dtype=np.uint16).reshape(GRID.shape)
PROTOCOL = Protocol(
    name="t2", description="AX T2", size=8, slices=6, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip


def _write(folder: Path, change: Callable[[Dataset], object] = lambda dataset: None, *, copy: int = 0) -> DicomSeries:
    """A stack; copies have objects' UIDs of their own."""
    series = write_protocol(folder, PROTOCOL, PIXELS, GRID, identity=["s", "CANARY-ID"], name="Canary^N")
    for path in series.files:
        dataset = dcmread(path)
        if copy:
            dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID[:50]}.{copy}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        change(dataset)
        dataset.save_as(path)
    return series


def _all(*folders: Path) -> tuple[DicomSeries, ...]:
    return group_series(read_header(path) for folder in folders for path in sorted(folder.iterdir()))


def _compress(dataset: Dataset) -> None:
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda dataset: None,
        lambda dataset: setattr(dataset, "InstanceNumber", dataset.InstanceNumber + 100),
        _compress,
    ],
)
def test_slices_sent_twice_are_used_once_and_said(tmp_path: Path, change: Callable[[Dataset], object]) -> None:
    _write(tmp_path / "a")
    _write(tmp_path / "b", change, copy=1)
    _write(tmp_path / "c", copy=2)
    (series,) = _all(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert np.array_equal(read_series(series).data, PIXELS)
    assert series.evidence.slice_count == 6
    (finding,) = series.findings
    assert finding.code == "series-slices-twice"
    assert "12 slice(s) of series" in finding.message


def test_some_slices_sent_twice_are_used_once(tmp_path: Path) -> None:
    _write(tmp_path / "a")
    for path in sorted(_write(tmp_path / "b", copy=1).files)[2:]:
        path.unlink()
    (series,) = _all(tmp_path / "a", tmp_path / "b")
    assert np.array_equal(read_series(series).data, PIXELS)
    assert "2 slice(s) of series" in series.findings[0].message


def test_two_slices_at_one_place_with_different_pixels_are_refused_in_true_words(tmp_path: Path) -> None:
    def brighten(dataset: Dataset) -> None:
        if dataset.InstanceNumber == 3:
            dataset.PixelData = (np.frombuffer(dataset.PixelData, "<u2") + 1).astype("<u2").tobytes()

    _write(tmp_path / "a")
    _write(tmp_path / "b", brighten, copy=1)
    (series,) = _all(tmp_path / "a", tmp_path / "b")
    with pytest.raises(RejectedInput) as caught:
        series_grid(series)
    assert caught.value.code == "series-duplicate-slices"
    assert "are no copies of one another: slices 3 and 4 of 7" in caught.value.message
    assert "0.00 mm" not in caught.value.message


def test_slices_with_the_same_pixels_elsewhere_in_the_plane_are_no_copies(tmp_path: Path) -> None:
    def beside(dataset: Dataset) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [float(x) + 3.0, y, z]

    _write(tmp_path / "a")
    _write(tmp_path / "b", beside, copy=1)
    (series,) = _all(tmp_path / "a", tmp_path / "b")
    assert len(series.slices) == 12
    with pytest.raises(RejectedInput):
        series_grid(series)


def test_contours_that_name_the_second_copy_of_a_slice_are_read(tmp_path: Path) -> None:
    _write(tmp_path / "a")
    _write(tmp_path / "b", copy=1)
    (second,) = _all(tmp_path / "b")
    data = np.zeros(GRID.shape, np.uint8)
    data[2:6, 3:7, 1:4] = 1
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": Mask(data, GRID)}, second)
    (series,) = _all(tmp_path / "a", tmp_path / "b")
    found = read_structure_set(tmp_path / "rs.dcm", series)
    assert np.array_equal(found.masks["GTV"].data, data)
    assert found.findings == ()

"""Several stacks under one series UID are split by their headers; halves, duplicates and lost slices are named."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from datasets.dicom.header import read_header
from datasets.dicom_series.relations import joinable, same_acquisition
from datasets.dicom_series.series import DicomSeries, group_series, read_series, series_grid
from datasets.dicom_series.splitting import clusters
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol

SHAPE = (8, 10, 6)
PIXELS = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)
PROTOCOL = Protocol(
    name="t2", description="AX T2", size=8, slices=6, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip


def _grid(*, up_mm: float = 0.0) -> Grid:
    affine = np.diag([-0.8, -1.1, 4.0, 1.0])
    affine[:3, 3] = (31.0, 22.0, -7.0 + up_mm)
    return Grid(SHAPE, affine)


Change = Callable[[Dataset, int], object]


def _write(
    folder: Path, change: Change = lambda dataset, k: None, *, add: int = 0, keep: Iterable[int] = range(6),
    grid: Grid | None = None, patient: str = "CANARY-ID", uid: str = "1.2.3",
) -> list[Path]:  # fmt: skip
    """A stack of six slices, edited, all under one series UID and with UIDs of its own."""
    series = write_protocol(folder, PROTOCOL, PIXELS + add, grid or _grid(), identity=["s", patient], name="Canary^N")
    kept = []
    for k, path in enumerate(series.files):
        dataset = dcmread(path)
        dataset.SeriesInstanceUID = uid
        dataset.SOPInstanceUID += f".{add}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        change(dataset, k)
        dataset.save_as(path)
        if k in set(keep):
            kept.append(path)
    return kept


def _set(**fields: Any) -> Change:
    return lambda dataset, k: [setattr(dataset, keyword, value) for keyword, value in fields.items()]


def _group(*paths: list[Path]) -> tuple[DicomSeries, ...]:
    return group_series(read_header(path) for part in paths for path in part)


def _errors(series: DicomSeries) -> list[Finding]:
    return [finding for finding in series.findings if finding.level is Level.ERROR]


def _refused(series: DicomSeries) -> str:
    with pytest.raises(RejectedInput) as caught:
        series_grid(series)
    assert "anary" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(
    ("one", "other", "by"),
    [
        ({"EchoTime": 12.0, "EchoNumbers": 1}, {"EchoTime": 90.0, "EchoNumbers": 2}, "echo_time"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}, "image_type"),
        ({"ImageType": ["DERIVED", "PRIMARY", "W"]}, {"ImageType": ["DERIVED", "PRIMARY", "F"]}, "image_type"),
        ({"InversionTime": 150.0}, {"InversionTime": 900.0}, "inversion_time"),
        ({"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}, "b_value"),
        ({"ScanOptions": "FS"}, {"ScanOptions": ""}, "scan_options"),
        ({"FlipAngle": 5.0}, {"FlipAngle": 20.0}, "flip_angle"),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}, "temporal_position"),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}, "acquisition_number"),
        ({"TriggerTime": 0.0}, {"TriggerTime": 350.0}, "trigger_time"),
    ],
)
def test_two_stacks_of_one_uid_become_two_series(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any], by: str
) -> None:
    files = _write(tmp_path / "1", _set(**one)) + _write(tmp_path / "2", _set(**other), add=1000)
    random.Random(3).shuffle(files)
    found = _group(files)
    assert [series.split_by for series in found] == [(by,), (by,)]
    assert [series.findings for series in found] == [(), ()]
    assert found[1].reference == found[0].reference + "-2"
    volumes = sorted((read_series(series) for series in found), key=lambda volume: float(volume.data.max()))
    for volume, expected in zip(volumes, (PIXELS, PIXELS + 1000), strict=True):
        assert volume.grid.matches(_grid())
        assert np.array_equal(volume.data, expected)


def test_the_evidence_counts_echoes_and_times(tmp_path: Path) -> None:
    echoes = [_write(tmp_path / str(n), _set(EchoTime=20.0 * n), add=n) for n in (1, 2, 3)]
    assert [series.evidence.number_of_echoes for series in _group(*echoes)] == [3, 3, 3]
    times = [_write(tmp_path / str(n), _set(AcquisitionNumber=n), add=n) for n in (4, 5)]
    assert [series.evidence.temporal_positions for series in _group(*times)] == [2, 2]


def test_two_facts_together_split_into_four(tmp_path: Path) -> None:
    parts = []
    for add, (time, kind) in enumerate([(1, "M"), (1, "P"), (2, "M"), (2, "P")]):
        change = _set(ImageType=["ORIGINAL", "PRIMARY", kind], AcquisitionNumber=time)
        parts.append(_write(tmp_path / f"{time}{kind}", change, add=add))
    found = _group(*parts)
    assert [series.split_by for series in found] == [("image_type", "acquisition_number")] * 4
    assert [series.reference[10:] for series in found] == ["", "-2", "-3", "-4"]
    assert all(series_grid(series).matches(_grid()) for series in found)


def test_rounded_times_and_passing_numbers_do_not_split(tmp_path: Path) -> None:
    def wobble(dataset: Dataset, k: int) -> None:
        dataset.EchoTime, dataset.AcquisitionNumber = 102.3 + 0.1 * (k % 2), k % 2 + 1
        dataset.TriggerTime, dataset.RepetitionTime, dataset.InstanceNumber = 17.0 * k, 4000 + k, 6 - k

    (series,) = _group(_write(tmp_path, wobble))
    assert series.split_by == ()
    assert series.findings == ()
    assert series_grid(series).matches(_grid())


@pytest.mark.parametrize(
    ("values", "relative", "count"),
    [([80.0, 80.2, 80.4], 0.0, 1), ([1.2, 2.4], 0.02, 2), ([100.0, 101.5], 0.02, 1), ([100.0, 103.0], 0.02, 2),
     ([None, 80.0], 0.02, 2), ([], 0.02, 0), ([None, None], 0.02, 1)],
)  # fmt: skip
def test_clusters(values: list[float | None], relative: float, count: int) -> None:
    numbers = clusters(values, relative=relative)
    assert len({numbers[value] for value in values}) == count


def test_a_slice_sent_twice_without_a_difference_is_still_refused(tmp_path: Path) -> None:
    (series,) = _group(_write(tmp_path / "1"), _write(tmp_path / "2", add=1, keep=[3]))
    assert series.split_by == ()
    assert _refused(series) == "series-duplicate-slices"


def test_a_slice_scanned_again_leaves_the_first_stack_sound(tmp_path: Path) -> None:
    first, second = _group(
        _write(tmp_path / "1", _set(AcquisitionNumber=1)), _write(tmp_path / "2", _set(AcquisitionNumber=2), keep=[3])
    )
    assert series_grid(first).matches(_grid())
    assert _refused(second) == "series-single-slice"


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ([0, 2, 4], [1, 3, 5], "EchoTime"),  # every other slice has another echo time: no half passes for a whole
        ([0, 1, 2], [3, 4, 5], "EchoTime"),
        ([0, 1, 2, 3], [3, 4, 5], "AcquisitionNumber"),  # continued after an interruption, one slice repeated
        ([0, 1, 2, 3, 4], [4, 5], "AcquisitionNumber"),
    ],
)
def test_parts_that_only_together_make_a_stack_are_refused(
    tmp_path: Path, one: list[int], other: list[int], field: str
) -> None:
    found = _group(
        _write(tmp_path / "1", _set(**{field: 10}), keep=one),
        _write(tmp_path / "2", _set(**{field: 20}), add=1, keep=other),
    )
    assert [[finding.code for finding in _errors(series)] for series in found] == [["series-incomplete"]] * 2
    assert _refused(found[0]) == "series-incomplete"


def test_an_echo_that_lacks_its_last_slice_is_refused_and_the_other_is_not(tmp_path: Path) -> None:
    whole, short = _group(
        _write(tmp_path / "1", _set(EchoTime=10)), _write(tmp_path / "2", _set(EchoTime=80), add=1, keep=range(5))
    )
    assert _errors(whole) == []
    assert _refused(short) == "series-incomplete"


def test_a_projection_beside_the_stack_does_no_harm(tmp_path: Path) -> None:
    def project(dataset: Dataset, k: int) -> None:
        dataset.ImageType = ["DERIVED", "SECONDARY", "MIP"]
        dataset.ImagePositionPatient = [0, 0, 3.3]

    stack, projection = _group(_write(tmp_path / "1"), _write(tmp_path / "2", project, add=1, keep=[0]))
    assert series_grid(stack).matches(_grid())
    assert projection.evidence.slice_count == 1


def test_two_patients_of_one_uid_are_refused_and_never_stacked(tmp_path: Path) -> None:
    found = _group(
        _write(tmp_path / "1", keep=[0, 2, 4]), _write(tmp_path / "2", add=1, keep=[1, 3, 5], patient="CANARY-2")
    )
    assert [len(series.slices) for series in found] == [3, 3]
    assert [_refused(series) for series in found] == ["series-two-patients"] * 2


def test_a_mosaic_is_refused_by_name(tmp_path: Path) -> None:
    (series,) = _group(_write(tmp_path, _set(ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])))
    assert _refused(series) == "series-mosaic"


def test_a_tilt_is_refused_with_its_angle(tmp_path: Path) -> None:
    def tilt(dataset: Dataset, k: int) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y + 4.0 * k * np.tan(np.radians(12)), z]

    (series,) = _group(_write(tmp_path, tilt))
    with pytest.raises(RejectedInput, match=r"tilted by 12\.0 degrees") as caught:
        series_grid(series)
    assert caught.value.code == "series-tilted"


def test_the_order_of_numbers_and_locations_does_not_matter(tmp_path: Path) -> None:
    def number(dataset: Dataset, k: int) -> None:
        dataset.InstanceNumber, dataset.SliceLocation = [4, 1, 6, 2, 5, 3][k], -k * 4.0

    (series,) = _group(_write(tmp_path, number))
    assert np.array_equal(read_series(series).data, PIXELS)
    assert series.findings == ()


@pytest.mark.parametrize(
    ("change", "keep", "expected"),
    [
        (_set(), [2, 3, 4, 5], "numbered from 1"),
        (_set(ImagesInAcquisition=6), [0, 1, 2, 3], "6 images"),
        (_set(), [0, 2, 4], "4.00 mm apart"),  # even, but the header says that slices are half as far apart
    ],
)
def test_slices_lost_at_an_end_or_every_other_one_are_named(
    tmp_path: Path, change: Change, keep: list[int], expected: str
) -> None:
    (series,) = _group(_write(tmp_path, change, keep=keep))
    (finding,) = series.findings
    assert (finding.level, finding.code) == (Level.WARNING, "series-incomplete")
    assert expected in finding.message


def test_a_declared_gap_that_is_only_the_space_between_slices_is_no_loss(tmp_path: Path) -> None:
    (series,) = _group(_write(tmp_path, _set(SliceThickness=3.0, SpacingBetweenSlices=1.0)))
    assert series.findings == ()


def test_numbers_that_start_at_zero_or_run_over_a_study_are_no_loss(tmp_path: Path) -> None:
    for start in (0, 101):
        (series,) = _group(_write(tmp_path, lambda dataset, k, n=start: setattr(dataset, "InstanceNumber", n + k)))
        assert series.findings == ()


@pytest.mark.parametrize(
    ("one", "other", "renumber", "level"),
    [
        ([0, 2, 4], [1, 3, 5], True, Level.ERROR),
        ([0, 1, 2], [3, 4, 5], False, Level.ERROR),  # the numbers run on: one acquisition sent as two series
        ([0, 1, 2], [3, 4, 5], True, Level.WARNING),  # each numbered from 1: perhaps two stations
    ],
)
def test_a_stack_split_over_two_uids_is_named(
    tmp_path: Path, one: list[int], other: list[int], renumber: bool, level: Level
) -> None:
    def number(dataset: Dataset, k: int) -> None:
        dataset.InstanceNumber = (one if k in one else other).index(k) + 1 if renumber else k + 1

    found = _group(_write(tmp_path / "1", number, keep=one), _write(tmp_path / "2", number, keep=other, uid="1.2.4"))
    assert joinable(*found)
    assert not same_acquisition(*found)
    for series in found:
        assert (level, "series-split") in [(finding.level, finding.code) for finding in series.findings]
        assert "anary" not in str(series.findings)
    if level is Level.ERROR:
        assert _refused(found[0]) == "series-split"


@pytest.mark.parametrize(
    "other",
    [
        {"change": _set(EchoTime=20.0)},
        {"change": _set(ImageType=["ORIGINAL", "PRIMARY", "P"])},
        {"change": _set(StudyInstanceUID="1.9")},
        {"change": _set(FrameOfReferenceUID="1.9")},
        {"change": _set(ContrastBolusAgent="Gadobutrol")},
        {"grid": _grid(up_mm=1.0)},
        {"patient": "CANARY-2"},
        {"keep": [0, 1, 2]},
    ],
)
def test_series_that_do_not_belong_together_are_not_joined(tmp_path: Path, other: dict[str, Any]) -> None:
    found = _group(
        _write(tmp_path / "1", keep=[0, 2, 4]),
        _write(tmp_path / "2", **{"keep": [1, 3, 5], "uid": "1.2.4", "add": 1, **other}),
    )
    assert len(found) == 2
    assert not joinable(*found)
    assert all(finding.code != "series-split" for series in found for finding in series.findings)

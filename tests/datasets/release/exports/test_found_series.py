"""Masks on the series that they were drawn on: found by voxels, by a grid that only one has, or not at all."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from datasets.dicom_masks.segmentation import read_segment_set
from datasets.dicom_series.series import DicomSeries
from datasets.errors import RejectedInput
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.orientation import as_ras
from datasets.image.volume import Grid, Volume
from datasets.phantom.scanner import Protocol, write_protocol
from datasets.release.build import ReleaseCase, ReleaseRole, ReleaseSettings, build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.source import open_release
from datasets.study.case import QualityScore
from tests.datasets.support.enhanced_files import stack, write_enhanced

SETTINGS = ReleaseSettings("found", "1.0.0", "CC0-1.0", roles=(ReleaseRole("t2", "T2", "t2"),))
PROTOCOL = Protocol(
    name="t2", description="AX T2", size=10, slices=5, gap_mm=4.0, sequence="SE", scan_options="",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip
GRID = Grid((10, 8, 5), np.array([[-0.7, 0.1, 0, 9], [-0.1, -0.7, 0, 12], [0, 0, 4.0, -10], [0, 0, 0, 1]]))
CODES = ("sub-0001_ses-1", "sub-0002_ses-1")


def _pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 4000, GRID.shape).astype(np.uint16)


def _series(folder: Path, number: int, *, is_identified: bool = False, name: str = "") -> DicomSeries:
    """A de-identified series of a patient, with the pixels of a number."""
    series = write_protocol(
        folder / f"{name}series-{number}",
        PROTOCOL,
        _pixels(number),
        GRID,
        identity=["found", f"P{number}{name}"],
        name="X",
    )
    for path in series.files if not is_identified else ():
        dataset = dcmread(path)
        dataset.PatientIdentityRemoved = "YES"
        dataset.save_as(path)
    return series


def _case(folder: Path, number: int) -> ReleaseCase:
    """A case whose drawn image has the pixels of a number, with its axes turned."""
    code = CODES[number - 1]
    labels = (np.random.default_rng(90 + number).random(GRID.shape) > 0.6).astype(np.uint8)
    labels[:, :, 0] = 0
    turned = [as_ras(Volume(data, GRID)) for data in (_pixels(number).astype(np.float32), labels)]
    image, mask = (folder / f"{code}-{name}.nii.gz" for name in ("t2", "mask"))
    write_volume(image, Volume(np.ascontiguousarray(turned[0].data), turned[0].grid))
    write_mask(mask, Mask(np.ascontiguousarray(turned[1].data), turned[1].grid))
    return ReleaseCase(code, "fat", "thigh", {"t2": image}, "t2", mask, quality_score=QualityScore.EXCELLENT)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Two patients on the very same grid."""
    return build_release([_case(tmp_path, 1), _case(tmp_path, 2)], SETTINGS, tmp_path / "r").folder


def _exported(release: Path, dicom: Path, tmp_path: Path) -> tuple[Path, dict]:
    plan = plan_export(open_release(release), FORMATS["dicom-seg"], ExportOptions(dicom=dicom))
    write_export(plan, tmp_path / "out")
    return tmp_path / "out", json.loads((tmp_path / "out" / "export.json").read_text())


def _codes(record: dict) -> Iterator[tuple[str, str]]:
    return ((each["code"], each["subject"]) for each in record["findings"])


def test_each_mask_goes_to_the_series_with_its_own_voxels(release: Path, tmp_path: Path) -> None:
    series = [_series(tmp_path / "dicom", number) for number in (2, 1)][::-1]
    folder, record = _exported(release, tmp_path / "dicom", tmp_path)
    assert record["series"] == dict.fromkeys(CODES, "given")
    assert list(_codes(record)) == []
    source = open_release(release)
    for case, own in zip(source.cases, series, strict=True):
        assert [path.name for path in (folder / case.code).iterdir()] == ["segmentation.dcm"]
        found = read_segment_set(folder / case.code / "segmentation.dcm", own).sound()["Tumour"]
        here, there = source.mask(case), as_ras(Volume(found.data, found.grid))
        there.grid.require_match(here.grid, what="mask")
        np.testing.assert_array_equal(there.data, here.data)
        with pytest.raises(RejectedInput, match="seg-other"):
            read_segment_set(folder / case.code / "segmentation.dcm", next(each for each in series if each is not own))


def test_two_series_that_could_be_it_are_none(release: Path, tmp_path: Path) -> None:
    """Of one patient's image there are two copies; of the other's there is none, but others on its grid."""
    for name in ("a", "b"):
        _series(tmp_path / "dicom", 1, name=name)
    folder, record = _exported(release, tmp_path / "dicom", tmp_path)
    assert record["series"] == dict.fromkeys(CODES, "derived")
    assert set(_codes(record)) == {("export-series-derived", code) for code in CODES}
    assert (folder / CODES[0] / "image" / "IM0001.dcm").exists()


def test_other_numbers_on_a_grid_that_nobody_shares_are_taken_and_said(tmp_path: Path) -> None:
    release = build_release([_case(tmp_path, 1)], SETTINGS, tmp_path / "r").folder
    _series(tmp_path / "dicom", 7)
    _, record = _exported(release, tmp_path / "dicom", tmp_path)
    assert record["series"] == {CODES[0]: "given"}
    assert list(_codes(record)) == [("export-series-by-grid", CODES[0])]


def test_other_numbers_on_a_grid_of_two_cases_are_not_taken(release: Path, tmp_path: Path) -> None:
    _series(tmp_path / "dicom", 7)
    _, record = _exported(release, tmp_path / "dicom", tmp_path)
    assert record["series"] == dict.fromkeys(CODES, "derived")


def test_a_series_that_says_whose_it_is_is_refused(release: Path, tmp_path: Path) -> None:
    _series(tmp_path / "dicom", 1)
    _series(tmp_path / "dicom", 2, is_identified=True)
    with pytest.raises(RejectedInput) as refusal:
        plan_export(open_release(release), FORMATS["dicom-seg"], ExportOptions(dicom=tmp_path / "dicom"))
    assert refusal.value.code == "dicom-identified"


def test_what_is_no_series_is_passed_over(release: Path, tmp_path: Path) -> None:
    write_enhanced(tmp_path / "dicom" / "enhanced.dcm", stack(GRID, _pixels(1)), identity=["found", "P1"])
    (tmp_path / "dicom" / "notes.txt").write_text("no DICOM")
    (tmp_path / "dicom" / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    _, record = _exported(release, tmp_path / "dicom", tmp_path)
    assert record["series"] == dict.fromkeys(CODES, "derived")
    with pytest.raises(RejectedInput) as refusal:
        plan_export(open_release(release), FORMATS["dicom-seg"], ExportOptions(dicom=tmp_path / "nowhere"))
    assert refusal.value.code == "dicom-folder"

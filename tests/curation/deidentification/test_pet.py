"""PET that leaves: the same SUV where its facts were kept, refused by name where they were not, never another SUV."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from curation.deidentification.deidentify import Policy, deidentify_folder
from curation.scanning.found_series import FoundSeries
from curation.scanning.scan import scan_folder
from datasets.dicom_series.series import read_series
from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.phantom.ct_pet import CtProtocol, PetDialect, PetProtocol, write_ct, write_pet
from datasets.study.shipped_protocols import shipped_protocol
from tests.datasets.dicom.test_enhanced_ct_pet import as_pet, read_enhanced
from tests.planted_dicom import CANARY, CODE, KEY

PET_CT = shipped_protocol("pet-ct")
EVERYTHING = Policy(shift_dates=True, keep_characteristics=True, keep_safe_private=True, clean_descriptors=True)
SHAPE = (6, 5, 4)
SUV = np.linspace(0, 12, int(np.prod(SHAPE))).reshape(SHAPE)
GRID = Grid(SHAPE, np.diag([-4.0, -4.0, 3.0, 1.0]))


def _made_again_the_next_day(dataset: Dataset, _k: int) -> None:
    dataset.SeriesDate, dataset.SeriesTime = "20200102", "080000"
    dataset.FrameReferenceTime = 0


def _written(folder: Path, dialect: PetDialect, *, is_post_processed: bool = False) -> Path:
    write_pet(
        folder / "pet", PetProtocol(dialect=dialect), SUV, GRID, identity=["leaving", "MRN7712390"], name=CANARY,
        change=_made_again_the_next_day if is_post_processed else lambda dataset, k: None,
    )  # fmt: skip
    return folder


def _left(source: Path, target: Path, policy: Policy) -> FoundSeries:
    report = deidentify_folder(source, target, policy, key=KEY, code_of=lambda _: CODE)
    assert report.findings == []
    (series,) = scan_folder(target, protocol=PET_CT).series
    return series


@pytest.mark.parametrize(
    ("dialect", "is_post_processed", "found_by"),
    [
        (PetDialect.SIEMENS, False, "series-time"),
        (PetDialect.GE, False, "series-time"),
        (PetDialect.GE, True, "ge-scan-time"),
        (PetDialect.PHILIPS, False, "philips-suv-factor"),
        (PetDialect.SUV, False, "units"),
    ],
)
def test_the_same_suv_comes_of_it_where_its_facts_stay(
    tmp_path: Path, dialect: PetDialect, is_post_processed: bool, found_by: str
) -> None:
    source = _written(tmp_path / "in", dialect, is_post_processed=is_post_processed)
    (before,) = scan_folder(source, protocol=PET_CT).series
    after = _left(source, tmp_path / "out", EVERYTHING)
    assert after.evidence.suv_from == before.evidence.suv_from == found_by
    assert np.array_equal(after.read().data, before.read().data)
    assert np.abs(after.read().data - SUV).max() < 0.001
    assert after.dicom is not None
    assert after.dicom.findings == ()
    assert b"20200101" not in b"".join(path.read_bytes() for path in after.files)


@pytest.mark.parametrize(
    ("dialect", "is_post_processed", "policy", "code", "named"),
    [
        (PetDialect.SIEMENS, False, Policy(), "pet-header-incomplete", "Patient's Weight (0010,1030)"),
        (PetDialect.SIEMENS, False, Policy(shift_dates=True), "pet-header-incomplete", "Patient's Weight (0010,1030)"),
        (PetDialect.SIEMENS, False, Policy(keep_characteristics=True), "pet-times-removed", "(0028,0303)"),
        (PetDialect.PHILIPS, False, Policy(), "pet-header-incomplete", "SUV Factor (7053,xx00)"),
        (
            PetDialect.GE, True, Policy(shift_dates=True, keep_characteristics=True), "pet-scan-time",
            "GE's scan date and time (0009,xx0D)",
        ),
        (
            PetDialect.GE, True, Policy(keep_characteristics=True, keep_safe_private=True), "pet-times-removed",
            "(0028,0303)",
        ),
    ],
)  # fmt: skip
def test_what_was_removed_is_named(
    tmp_path: Path, dialect: PetDialect, is_post_processed: bool, policy: Policy, code: str, named: str
) -> None:
    source = _written(tmp_path / "in", dialect, is_post_processed=is_post_processed)
    with pytest.raises(RejectedInput) as caught:
        _left(source, tmp_path / "out", policy).read()
    assert caught.value.code == code
    assert named in caught.value.message


def test_an_enhanced_pet_keeps_its_units_and_corrections(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    before = read_enhanced(tmp_path / "in" / "a.dcm", as_pet)
    after = _left(tmp_path / "in", tmp_path / "out", EVERYTHING)
    assert after.evidence.suv_factor == before.evidence.suv_factor
    assert before.evidence.suv_factor is not None
    assert np.array_equal(after.read().data, read_series(before).data)
    with pytest.raises(RejectedInput, match="Patient's Weight"):
        _left(tmp_path / "in", tmp_path / "basic", Policy()).read()


def test_suv_and_hounsfield_units_need_no_option(tmp_path: Path) -> None:
    after = _left(_written(tmp_path / "in", PetDialect.SUV), tmp_path / "out", Policy())
    assert np.abs(after.read().data - SUV).max() < 0.001
    hounsfield = np.linspace(-1000, 1000, SUV.size).round().reshape(SHAPE)
    write_ct(tmp_path / "ct", CtProtocol(), hounsfield, GRID, identity=["leaving", "MRN7712390"], name=CANARY)
    ct = _left(tmp_path / "ct", tmp_path / "ct out", Policy())
    assert np.array_equal(ct.read().data, hounsfield)
    assert (ct.evidence.units, ct.evidence.convolution_kernel) == ("HU", "STANDARD")

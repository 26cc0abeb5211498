"""Pairing of T1 and T2: chosen with reasons, a question when unsure, and no patient named."""

import logging
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curation.pairing.pairing import load_images, pair_series
from curation.scanning.scan import scan_folder
from datasets.dicom.file import without_warnings
from datasets.finding import Level
from datasets.phantom.cohort import PhantomCase, write_phantom_cohort
from tests.curation.support.protocols import MSTT
from tests.curation.support.small_studies import (
    CANARY,
    T1,
    T2,
    codes,
    edit,
    pairing_of,
    write,
    write_nifti_case,
)

pytestmark = pytest.mark.slow

STS = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "sts" / "dicom"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[PhantomCase, ...]]:
    folder = tmp_path_factory.mktemp("phantom")
    return folder, write_phantom_cohort(folder, patients=3)


@pytest.mark.slow
def test_phantom_patients_become_pairs(cohort: tuple[Path, tuple[PhantomCase, ...]]) -> None:
    pairing = pairing_of(cohort[0])
    assert pairing.findings == ()
    for pair, case in zip(pairing.pairs, cohort[1], strict=True):
        assert (pair.patient_key, pair.tissue_type, pair.anatomical_site) == (
            case.patient_id,
            case.tissue_type,
            case.anatomical_site,
        )
        loaded = load_images(pair)
        assert loaded.findings == ()
        assert loaded.volumes["t1"].grid.shape == (160, 160, 20)
        assert loaded.masks["t1"] == {}
        mask = loaded.masks["t2"]["GTV_Mass"]
        assert np.array_equal(mask.data, case.tumour.data)
        assert mask.grid.matches(loaded.volumes["t2"].grid)


def test_a_patient_without_t2_is_named_and_the_others_go_on(
    cohort: tuple[Path, tuple[PhantomCase, ...]], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cohort[0], tmp_path / "studies"))
    shutil.rmtree(folder / "patient_0002" / "study" / "4_t2")
    pairing = pairing_of(folder)
    assert [pair.patient_key for pair in pairing.pairs] == ["PHANTOM-0001", "PHANTOM-0003"]
    finding, mask = pairing.findings
    assert (finding.level, finding.code, finding.subject) == (Level.ERROR, "no-t2", "patient 2 (first file: 44)")
    assert " was found; the nearest of 2 series, " in finding.message
    assert "volume file" not in finding.remedy
    assert (mask.code, mask.subject) == ("mask-without-series", "patient 2 (first file: 44), file 44")
    assert not pairing.summary_of("PHANTOM-0002").is_question


def test_a_patient_without_t1_is_named(tmp_path: Path) -> None:
    write(tmp_path, T2)
    assert codes(pairing_of(tmp_path)) == ["no-t1"]


def test_a_missing_slice_keeps_the_series_out(tmp_path: Path) -> None:
    (write(tmp_path, T1) / "IM0004.dcm").unlink()
    write(tmp_path, T2)
    pairing = pairing_of(tmp_path)
    assert pairing.pairs == ()
    assert codes(pairing) == ["series-missing-slices", "no-t1"]
    assert pairing.findings[0].subject.startswith("patient 1 (first file: 1), series ")


def test_the_better_series_wins_and_the_runner_up_is_written_down(tmp_path: Path) -> None:
    write(tmp_path, T1)
    edit(
        write(tmp_path, replace(T1, description="AX T1 GD")),
        lambda dataset: setattr(dataset, "ContrastBolusAgent", "Gadovist"),
    )
    write(tmp_path, T2)
    write(tmp_path, replace(T2, description="AX T2", scan_options=""))
    (pair,) = pairing_of(tmp_path).pairs
    assert (pair.chosen["t1"].score, pair.chosen["t1"].runner_up_score, pair.chosen["t1"].lead) == (8, -12, 20)
    assert (pair.chosen["t2"].score, pair.chosen["t2"].runner_up_score, pair.chosen["t2"].lead) == (11, -12, 23)
    assert pair.chosen["t1"].reasons[-2:] == (
        "TR 550 ms and TE 12 ms: T1-weighted (+4)",
        "the description says T1 (+1)",
    )
    assert "contrast-enhanced (-20)" in pair.chosen["t1"].runner_up_reasons
    assert "nothing says that fat is suppressed (-20)" in pair.chosen["t2"].runner_up_reasons
    assert "fat-suppressed: scan options FS (+3)" in pair.chosen["t2"].reasons
    references = {found.reference for found in scan_folder(tmp_path, protocol=MSTT).series}
    chosen = {
        pair.chosen["t1"].series.reference,
        pair.chosen["t2"].series.reference,
        pair.chosen["t1"].runner_up,
        pair.chosen["t2"].runner_up,
    }
    assert chosen == references
    assert pair.findings == ()


def test_a_nifti_file_named_t2_is_taken_with_a_warning(tmp_path: Path) -> None:
    write_nifti_case(tmp_path, {})
    (tmp_path / "case" / "t2_fs.nii.gz").rename(tmp_path / "case" / "t2.nii.gz")
    (pair,) = pairing_of(tmp_path).pairs
    assert [(finding.level, finding.code) for finding in pair.findings] == [(Level.WARNING, "t2-not-fat-suppressed")]


def test_mixed_patients_are_kept_apart(tmp_path: Path) -> None:
    write(tmp_path, T1, patient="CANARY-1")
    write(tmp_path, T2, patient="CANARY-2")
    pairing = pair_series(scan_folder(tmp_path, protocol=MSTT), protocol=MSTT)
    assert pairing.pairs == ()
    assert codes(pairing) == ["no-t2", "no-t1"]


def test_the_canary_is_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with without_warnings():
        edit(write(tmp_path, T1), lambda dataset: setattr(dataset, "SeriesDescription", f"T1 {CANARY}"))
        edit(write(tmp_path, T2), lambda dataset: setattr(dataset, "StudyInstanceUID", "not a UID Nightingale"))
        edit(write(tmp_path, T1, visit="2"), lambda dataset: setattr(dataset, "FrameOfReferenceUID", CANARY))
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        warnings.simplefilter("error")
        scan = scan_folder(tmp_path, protocol=MSTT)
        loaded = [found.read() for found in scan.series]
        pairing = pair_series(scan, protocol=MSTT)
    assert len(loaded) == 3
    assert "Nightingale" not in repr(scan) + repr(pairing)
    assert "Nightingale" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.slow
@pytest.mark.skipif(not STS.is_dir(), reason="the sarcoma data are not beside the checkout")
def test_the_real_pair_is_chosen_by_its_text() -> None:
    pairing = pair_series(scan_folder(STS, protocol=MSTT), protocol=MSTT)
    (pair,) = pairing.pairs
    assert codes(pairing) == ["no-t2", "no-t2"]  # two patients have a T1 only
    assert [choice.as_dict()["vendor"] for choice in pair.choices] == ["siemens", "siemens"]
    assert pair.chosen["t1"].reasons == ("axial (+2)", "40 slices (+1)", "the description says T1 (+3)")
    assert pair.chosen["t2"].reasons == (
        "axial (+2)",
        "40 slices (+1)",
        "the description says T2 (+3)",
        "fat-suppressed: the description says so (+3)",
    )
    loaded = load_images(pair)
    assert loaded.findings == ()
    assert [volume.grid.shape for volume in loaded.volumes.values()] == [(512, 512, 40), (384, 384, 40)]
    for regions in loaded.masks.values():
        assert {name: round(mask.volume_ml) for name, mask in regions.items()} == {
            "GTV_Mass": 365,
            "GTV_Edema": pytest.approx(580, abs=2),
        }

"""Which T1 and T2 make a case: chosen with reasons, asked about when unsure, and nobody is named."""

import json
import logging
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from curation.pairing import Pairing, load_pair, pair_series
from curation.scan import scan_folder
from datasets.case import SeriesRole, TissueType
from datasets.dicom_file import without_warnings
from datasets.dicom_series import files_digest
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.finding import Level
from datasets.mask import Mask
from datasets.nifti import write_mask, write_volume
from datasets.phantom import PhantomCase, write_phantom_cohort
from datasets.phantom_dicom import Protocol, write_protocol
from datasets.volume import Grid, Volume
from tests.datasets.test_dicom_seg import write_segmentation

STS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "sts" / "dicom"

GRID = Grid((8, 8, 12), np.diag([-1.0, -1.0, 4.0, 1.0]))
T1 = Protocol(
    name="t1", description="AX T1", size=8, slices=12, gap_mm=4.0, sequence="SE", scan_options="",
    repetition_time_ms=550.0, echo_time_ms=12.0, number=3,
)  # fmt: skip
T2 = replace(T1, name="t2", description="AX T2 FS", scan_options="FS", repetition_time_ms=4000.0, echo_time_ms=80.0)
CANARY = "Canary^Nightingale"


def _write(folder: Path, protocol: Protocol, *, visit: str = "1", patient: str = "CANARY-1", grid: Grid = GRID) -> Path:
    home = folder / patient / visit / protocol.description.replace(" ", "_")
    write_protocol(home, protocol, np.zeros(grid.shape, np.uint16), grid, identity=[visit, patient], name=CANARY)
    return home


def _edit(home: Path, change: Callable[[Dataset], object]) -> None:
    for path in home.iterdir():
        dataset = dcmread(path)
        change(dataset)
        dataset.save_as(path)


def _pairing(folder: Path) -> Pairing:
    pairing = pair_series(scan_folder(folder))
    shown = repr(pairing) + " ".join(map(str, pairing.findings))
    for secret in ("Nightingale", "CANARY-1", str(folder)):
        assert secret not in shown
    return pairing


def _codes(pairing: Pairing) -> list[str]:
    return [finding.code for finding in pairing.findings]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[PhantomCase, ...]]:
    folder = tmp_path_factory.mktemp("phantom")
    return folder, write_phantom_cohort(folder, patients=3)


def test_phantom_patients_become_pairs(cohort: tuple[Path, tuple[PhantomCase, ...]]) -> None:
    pairing = _pairing(cohort[0])
    assert pairing.findings == ()
    for pair, case in zip(pairing.pairs, cohort[1], strict=True):
        assert (pair.patient_key, pair.tissue_type, pair.anatomical_site) == (
            case.patient_id,
            case.tissue_type,
            case.anatomical_site,
        )
        loaded = load_pair(pair)
        assert loaded.findings == ()
        assert loaded.volumes[SeriesRole.T1].grid.shape == (160, 160, 20)
        assert loaded.masks[SeriesRole.T1] == {}
        mask = loaded.masks[SeriesRole.T2]["GTV_Mass"]
        assert np.array_equal(mask.data, case.tumour.data)
        assert mask.grid.matches(loaded.volumes[SeriesRole.T2].grid)


def test_everything_names_its_source(cohort: tuple[Path, tuple[PhantomCase, ...]]) -> None:
    pair = _pairing(cohort[0]).pairs[0]
    study = cohort[0] / "patient_0001" / "study"
    t1, t2 = (files_digest((study / name).iterdir()) for name in ("3_t1", "4_t2"))
    assert (pair.t1.source_sha256, pair.t2.source_sha256) == (t1, t2)
    assert pair.source_sha256 == sha256_of_bytes(f"{t1}\n{t2}".encode())
    digest = sha256_of_file(study / "100_regions" / "regions.dcm")
    assert load_pair(pair).mask_sources[SeriesRole.T2] == {"GTV_Mass": digest}


def test_a_patient_without_t2_is_named_and_the_others_go_on(
    cohort: tuple[Path, tuple[PhantomCase, ...]], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cohort[0], tmp_path / "studies"))
    shutil.rmtree(folder / "patient_0002" / "study" / "4_t2")
    pairing = _pairing(folder)
    assert [pair.patient_key for pair in pairing.pairs] == ["PHANTOM-0001", "PHANTOM-0003"]
    finding, mask = pairing.findings
    assert (finding.level, finding.code, finding.subject) == (Level.ERROR, "no-t2", "patient 2 (first file: 44)")
    assert "got 2 series" in finding.message
    assert (mask.code, mask.subject) == ("mask-without-series", "patient 2 (first file: 44), file 44")
    assert not pairing.summary_of("PHANTOM-0002").is_question


def test_a_patient_without_t1_is_named(tmp_path: Path) -> None:
    _write(tmp_path, T2)
    assert _codes(_pairing(tmp_path)) == ["no-t1"]


def test_a_missing_slice_keeps_the_series_out(tmp_path: Path) -> None:
    (_write(tmp_path, T1) / "IM0004.dcm").unlink()
    _write(tmp_path, T2)
    pairing = _pairing(tmp_path)
    assert pairing.pairs == ()
    assert _codes(pairing) == ["series-missing-slices", "no-t1"]
    assert pairing.findings[0].subject.startswith("patient 1 (first file: 1), series ")


def test_the_better_series_wins_and_the_runner_up_is_written_down(tmp_path: Path) -> None:
    _write(tmp_path, T1)
    _edit(
        _write(tmp_path, replace(T1, description="AX T1 GD")),
        lambda dataset: setattr(dataset, "ContrastBolusAgent", "Gadovist"),
    )
    _write(tmp_path, T2)
    _write(tmp_path, replace(T2, description="AX T2", scan_options=""))
    (pair,) = _pairing(tmp_path).pairs
    assert (pair.t1.score, pair.t1.runner_up_score, pair.t1.lead) == (8, -12, 20)
    assert (pair.t2.score, pair.t2.runner_up_score, pair.t2.lead) == (11, -12, 23)
    assert pair.t1.reasons[-2:] == ("TR 550 ms and TE 12 ms: T1-weighted (+4)", "the description says T1 (+1)")
    assert "contrast-enhanced (-20)" in pair.t1.runner_up_reasons
    assert "nothing says that fat is suppressed (-20)" in pair.t2.runner_up_reasons
    assert "fat-suppressed: scan options FS (+3)" in pair.t2.reasons
    references = {found.reference for found in scan_folder(tmp_path).series}
    chosen = {pair.t1.series.reference, pair.t2.series.reference, pair.t1.runner_up, pair.t2.runner_up}
    assert chosen == references
    assert pair.findings == ()


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ([(replace(T1, description="AX T1 repeated"), "1")], "ambiguous-t1"),
        ([(replace(T2, description="AX T2 FS repeated"), "1")], "ambiguous-t2"),
        (
            [(replace(T1, description="AX T1 repeated"), "1"), (replace(T2, description="AX T2 FS repeated"), "1")],
            "ambiguous-pair",
        ),
        ([(T1, "2"), (T2, "2")], "several-studies"),
    ],
)
def test_a_tie_is_asked_about(tmp_path: Path, extra: list[tuple[Protocol, str]], code: str) -> None:
    _write(tmp_path, T1)
    _write(tmp_path, T2)
    for protocol, visit in extra:
        _write(tmp_path, protocol, visit=visit)
    pairing = _pairing(tmp_path)
    assert pairing.pairs == ()
    assert _codes(pairing) == [code]
    assert pairing.patients[0].is_question
    points = {"ambiguous-t1": (2, 1), "ambiguous-t2": (1, 2)}.get(code, (2, 2))
    message = pairing.findings[0].message
    assert (message.count("(8 points)"), message.count("(11 points)")) == points


def test_one_study_is_preferred_and_two_are_told(tmp_path: Path) -> None:
    _write(tmp_path, T1, visit="1")
    _write(tmp_path, T2, visit="1")
    _write(tmp_path, T1, visit="2")
    (pair,) = _pairing(tmp_path).pairs
    assert pair.t1.series.study_key == pair.t2.series.study_key
    shutil.rmtree(tmp_path / "CANARY-1" / "1" / "AX_T1")
    (pair,) = _pairing(tmp_path).pairs
    assert [finding.code for finding in pair.findings] == ["different-studies"]


def test_two_studies_of_different_days_are_asked_about(tmp_path: Path) -> None:
    _write(tmp_path, T1, visit="1")
    home = _write(tmp_path, T2, visit="2")
    assert len(_pairing(tmp_path).pairs) == 1
    for name in ("StudyDate", "SeriesDate"):
        _edit(home, lambda dataset, name=name: setattr(dataset, name, "20200807"))
    pairing = _pairing(tmp_path)
    assert (pairing.pairs, _codes(pairing)) == ((), ["different-studies"])


def test_a_t2_without_fat_suppression_is_asked_about_and_taken_when_a_person_says_so(tmp_path: Path) -> None:
    _write(tmp_path, T1)
    plain = replace(T2, description="AX T2", scan_options="")
    _write(tmp_path, plain)
    pairing = _pairing(tmp_path)
    assert (pairing.pairs, _codes(pairing)) == ((), ["t2-not-fat-suppressed"])
    reference = _references(tmp_path)[plain.description]
    assert reference in pairing.findings[0].message
    (pair,) = pair_series(scan_folder(tmp_path), choices={"CANARY-1": {SeriesRole.T2: reference}}).pairs
    assert [(finding.level, finding.code) for finding in pair.findings] == [(Level.WARNING, "t2-not-fat-suppressed")]


def test_a_nifti_file_named_t2_is_taken_with_a_warning(tmp_path: Path) -> None:
    _write_nifti(tmp_path, {})
    (tmp_path / "case" / "t2_fs.nii.gz").rename(tmp_path / "case" / "t2.nii.gz")
    (pair,) = _pairing(tmp_path).pairs
    assert [(finding.level, finding.code) for finding in pair.findings] == [(Level.WARNING, "t2-not-fat-suppressed")]


def test_two_that_show_different_parts_of_the_body_are_no_pair(tmp_path: Path) -> None:
    elsewhere = Grid(GRID.shape, np.array([[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 4, 200], [0, 0, 0, 1]]))
    _write(tmp_path, T1)
    _write(tmp_path, T2, grid=elsewhere)
    pairing = _pairing(tmp_path)
    assert (pairing.pairs, _codes(pairing)) == ((), ["no-overlap"])
    chosen = {
        role: _references(tmp_path)[protocol.description] for role, protocol in zip(SeriesRole, (T1, T2), strict=True)
    }
    (pair,) = pair_series(scan_folder(tmp_path), choices={"CANARY-1": chosen}).pairs
    assert [finding.code for finding in pair.findings] == ["no-overlap"]


def test_of_two_stations_the_one_with_both_is_taken(tmp_path: Path) -> None:
    station = np.array([[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 4, 40], [0, 0, 0, 1]])
    _write(tmp_path, T1)
    _write(tmp_path, replace(T1, description="AX T1 distal"), grid=Grid(GRID.shape, station))
    _write(tmp_path, T2)
    (pair,) = _pairing(tmp_path).pairs
    assert pair.t1.series.evidence.series_description == "AX T1"


def test_a_repeat_that_was_broken_off_stands_back(tmp_path: Path) -> None:
    short = Grid((8, 8, 7), GRID.affine)
    _write(tmp_path, replace(T1, description="AX T1 moved", slices=7), grid=short)
    _write(tmp_path, T1)
    _write(tmp_path, T2)
    (pair,) = _pairing(tmp_path).pairs
    assert pair.t1.series.evidence.slice_count == 12
    assert "covers a part of what another with the same pixels covers (-8)" in pair.t1.runner_up_reasons


def _references(folder: Path) -> dict[str, str]:
    """Description to reference of every series."""
    return {found.evidence.series_description: found.reference for found in scan_folder(folder).series}


def test_a_person_decides_a_tie_for_good(tmp_path: Path) -> None:
    again = replace(T1, description="AX T1 repeated")
    for protocol in (T1, again, T2):
        _write(tmp_path, protocol)
    reference = _references(tmp_path)[again.description]
    pairing = pair_series(scan_folder(tmp_path), choices={"CANARY-1": {SeriesRole.T1: reference}, "nobody": {}})
    (pair,) = pairing.pairs
    assert pairing.findings == ()
    assert pair.t1.series.evidence.series_description == again.description
    assert (pair.t1.is_by_person, pair.t2.is_by_person) == (True, False)
    assert pair.t1.reasons[0] == "chosen by a person"
    assert pair.t1.as_dict()["chosen_by"] == "person"
    assert pair.t1.runner_up == _references(tmp_path)[T1.description]


def test_a_person_may_choose_what_the_rules_refuse_but_no_unsound_stack(tmp_path: Path) -> None:
    enhanced = replace(T1, description="AX T1 GD", scan_options="FS")
    _write(tmp_path, T2)
    home = _write(tmp_path, enhanced)
    _edit(home, lambda dataset: setattr(dataset, "ContrastBolusAgent", "Gadovist"))
    choices = {"CANARY-1": {SeriesRole.T1: _references(tmp_path)[enhanced.description]}}
    (pair,) = pair_series(scan_folder(tmp_path), choices=choices).pairs
    assert [finding.code for finding in pair.findings] == ["t1-contrast-enhanced"]
    (home / "IM0004.dcm").unlink()
    pairing = pair_series(scan_folder(tmp_path), choices=choices)
    assert (pairing.pairs, _codes(pairing)) == ((), ["series-missing-slices"])


def test_a_choice_that_is_not_there_is_told(tmp_path: Path) -> None:
    _write(tmp_path, T1)
    _write(tmp_path, T2)
    pairing = pair_series(scan_folder(tmp_path), choices={"CANARY-1": {SeriesRole.T2: "0123456789"}})
    assert (pairing.pairs, _codes(pairing)) == ((), ["choice-absent"])


def test_one_series_chosen_for_both_roles_is_asked_about(tmp_path: Path) -> None:
    _write(tmp_path, T1)
    _write(tmp_path, T2)
    reference = _references(tmp_path)[T1.description]
    pairing = pair_series(scan_folder(tmp_path), choices={"CANARY-1": dict.fromkeys(SeriesRole, reference)})
    assert (pairing.pairs, _codes(pairing)) == ((), ["ambiguous-series"])


def test_what_was_considered_is_told_of_every_patient_in_safe_words(tmp_path: Path) -> None:
    _write(tmp_path, T1)
    _write(tmp_path, T2)
    scout = replace(T1, description="LOCALIZER Nightingale", sequence="GR", repetition_time_ms=8.0, echo_time_ms=4.0)
    _write(tmp_path, scout)
    _write(tmp_path, T1, patient="CANARY-2")
    pairing = _pairing(tmp_path)
    assert [(patient.has_pair, len(patient.considered)) for patient in pairing.patients] == [(True, 3), (False, 1)]
    assert [finding.code for finding in pairing.patients[1].findings] == ["no-t2"]
    by_reference = {one.reference: one for one in pairing.summary_of("CANARY-1").considered}
    chosen = {by_reference[choice.series.reference].chosen_as for choice in pairing.pairs[0].choices}
    assert chosen == set(SeriesRole)
    refused = by_reference[_references(tmp_path)[scout.description]]
    assert (refused.chosen_as, bool(refused.left_out)) == (None, True)
    shown = json.dumps([patient.as_dict() for patient in pairing.patients])
    assert not any(secret in shown for secret in ("Nightingale", "CANARY", str(tmp_path), "AX T1"))


def test_mixed_patients_are_kept_apart(tmp_path: Path) -> None:
    _write(tmp_path, T1, patient="CANARY-1")
    _write(tmp_path, T2, patient="CANARY-2")
    pairing = pair_series(scan_folder(tmp_path))
    assert pairing.pairs == ()
    assert _codes(pairing) == ["no-t2", "no-t1"]


def test_a_structure_set_of_another_series_is_left_out(
    cohort: tuple[Path, tuple[PhantomCase, ...]], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cohort[0] / "patient_0001", tmp_path / "studies"))
    regions = folder / "study" / "100_regions" / "regions.dcm"
    dataset = dcmread(regions)
    reference = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    scout = next(found for found in scan_folder(folder).series if found.evidence.slice_count == 3)
    assert scout.dicom is not None
    for uid, code in ((scout.dicom.series_uid, "mask-of-other-series"), ("1.2.3", "mask-without-series")):
        reference.SeriesInstanceUID = uid
        dataset.save_as(regions)
        (pair,) = pair_series(scan_folder(folder)).pairs
        loaded = load_pair(pair)
        assert [finding.code for finding in loaded.findings] == [code]
        assert loaded.masks == {SeriesRole.T1: {}, SeriesRole.T2: {}}


@pytest.mark.parametrize("names_its_series", [True, False])
def test_a_segmentation_lands_on_its_series(
    cohort: tuple[Path, tuple[PhantomCase, ...]], tmp_path: Path, names_its_series: bool
) -> None:
    folder = Path(shutil.copytree(cohort[0] / "patient_0001", tmp_path / "studies"))
    (folder / "study" / "100_regions" / "regions.dcm").unlink()
    t2 = next(found for found in scan_folder(folder).series if "T2" in found.evidence.series_description)
    region = np.zeros(t2.grid.shape, np.uint8)
    region[20:30, 20:30, 5:8] = 1
    path = write_segmentation(folder / "seg", {"Mass": region}, [dcmread(path) for path in t2.files])
    if not names_its_series:
        dataset = dcmread(path)
        del dataset.ReferencedSeriesSequence
        for group in (*dataset.SharedFunctionalGroupsSequence, *dataset.PerFrameFunctionalGroupsSequence):
            group.pop("DerivationImageSequence", None)
        dataset.save_as(path)
    (pair,) = pair_series(scan_folder(folder)).pairs
    loaded = load_pair(pair)
    assert [finding.code for finding in loaded.findings] == ([] if names_its_series else ["seg-by-position"])
    assert loaded.masks[SeriesRole.T1] == {}
    assert np.array_equal(loaded.masks[SeriesRole.T2]["Mass"].data, region)


def test_a_damaged_structure_set_is_left_out(cohort: tuple[Path, tuple[PhantomCase, ...]], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(cohort[0] / "patient_0001", tmp_path / "studies"))
    regions = folder / "study" / "100_regions" / "regions.dcm"
    dataset = dcmread(regions)
    dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"
    dataset.save_as(regions)
    (pair,) = pair_series(scan_folder(folder)).pairs
    loaded = load_pair(pair)
    assert [(finding.level, finding.code) for finding in loaded.findings] == [(Level.ERROR, "contour-open")]
    assert loaded.volumes.keys() == {SeriesRole.T1, SeriesRole.T2}


def _write_nifti(folder: Path, masks: dict[str, Mask]) -> None:
    t2_grid = Grid(GRID.shape, np.diag([-0.5, -0.5, 4.0, 1.0]))
    for name, grid in (("t1.nii.gz", GRID), ("t2_fs.nii.gz", t2_grid)):
        data = np.random.default_rng(0).random(grid.shape).astype(np.float32)
        write_volume(folder / "case" / name, Volume(data, grid))
    for name, mask in masks.items():
        write_mask(folder / "case" / name, mask)


def test_nifti_pairs_and_masks_by_name(tmp_path: Path) -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:4, 2:4, 3] = 1
    labels[5, 5, 3] = 2
    _write_nifti(
        tmp_path, {"t1_seg.nii.gz": Mask(labels, GRID), "mask.nii.gz": Mask((labels == 1).astype(np.uint8), GRID)}
    )
    (pair,) = _pairing(tmp_path).pairs
    loaded = load_pair(pair)
    assert [finding.code for finding in loaded.findings] == ["mask-labels"]
    counts = {name: int(mask.data.sum()) for name, mask in loaded.masks[SeriesRole.T1].items()}
    assert counts == {"Tumour": 4, "Tumour (2)": 4, "label 2": 1}
    assert pair.tissue_type is TissueType.UNKNOWN


def test_a_nifti_mask_on_another_grid_is_left_out(tmp_path: Path) -> None:
    _write_nifti(tmp_path, {"t2_fs_mask.nii.gz": Mask(np.ones(GRID.shape, np.uint8), GRID)})
    loaded = load_pair(_pairing(tmp_path).pairs[0])
    (finding,) = loaded.findings
    assert (finding.code, finding.subject) == ("mask-grid", "patient 1 (first file: 1), file 3")
    assert "0.5 x 0.5 x 4 mm" in finding.message
    assert loaded.masks == {SeriesRole.T1: {}, SeriesRole.T2: {}}


def test_the_canary_is_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with without_warnings():
        _edit(_write(tmp_path, T1), lambda dataset: setattr(dataset, "SeriesDescription", f"T1 {CANARY}"))
        _edit(_write(tmp_path, T2), lambda dataset: setattr(dataset, "StudyInstanceUID", "not a UID Nightingale"))
        _edit(_write(tmp_path, T1, visit="2"), lambda dataset: setattr(dataset, "FrameOfReferenceUID", CANARY))
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        warnings.simplefilter("error")
        scan = scan_folder(tmp_path)
        loaded = [found.read() for found in scan.series]
        pairing = pair_series(scan)
    assert len(loaded) == 3
    assert "Nightingale" not in repr(scan) + repr(pairing)
    assert "Nightingale" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.skipif(not STS.is_dir(), reason="the sarcoma data are not beside the checkout")
def test_the_real_pair_is_chosen_by_its_text() -> None:
    pairing = pair_series(scan_folder(STS))
    (pair,) = pairing.pairs
    assert _codes(pairing) == ["no-t2", "no-t2"]  # two patients have a T1 only
    assert pair.t1.reasons == ("axial (+2)", "40 slices (+1)", "the description says T1 (+3)")
    assert pair.t2.reasons == (
        "axial (+2)",
        "40 slices (+1)",
        "the description says T2 (+3)",
        "fat-suppressed: the description says so (+3)",
    )
    loaded = load_pair(pair)
    assert loaded.findings == ()
    assert [volume.grid.shape for volume in loaded.volumes.values()] == [(512, 512, 40), (384, 384, 40)]
    for regions in loaded.masks.values():
        assert {name: round(mask.volume_ml) for name, mask in regions.items()} == {
            "GTV_Mass": 365,
            "GTV_Edema": pytest.approx(580, abs=2),
        }

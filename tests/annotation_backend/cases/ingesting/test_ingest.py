"""From a folder of studies to cases: cases that come in, refusals by name, and identifiers that stay inside."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.core.management import call_command
from django.db import connection

from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import Case, ImportedMask, Ingest, Patient
from annotation_backend.cases.registration import volumes
from annotation_backend.cases.registration.export import export_case
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.register import register_case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.workers import pairs
from datasets.errors import RejectedInput
from datasets.formats.nifti import write_volume
from datasets.image.volume import Grid, Volume
from datasets.phantom.cohort import write_phantom_cohort
from tests.annotation_backend.support.records import registered_case, the_study

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

CANARY = "Zz Canary^Nightingale"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    write_phantom_cohort(folder, patients=2)
    return folder


def noise_volume(seed: int) -> Volume:
    """A volume of noise; only its being a volume matters."""
    voxels = np.random.default_rng(seed).random((8, 8, 6), dtype=np.float32)
    return Volume(voxels, Grid(voxels.shape, np.diag([2.0, 2.0, 4.0, 1.0])))


@pytest.fixture
def own_data(tmp_path: Path, settings) -> Path:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    return settings.DATA_FOLDER


def test_a_folder_named_in_another_encoding_is_a_patient_like_any_other(tmp_path: Path, own_data: Path) -> None:
    home = Path(os.fsdecode(os.fsencode(tmp_path / "studies") + b"/J\xfcrgen"))
    home.mkdir(parents=True)
    for number, role in enumerate(("t1", "t2")):
        write_volume(home / f"{role}.nii.gz", noise_volume(number))
    report = ingest(tmp_path / "studies", study=the_study())
    assert [case.code for case in report.new] == ["C0001"]
    assert ingest(tmp_path / "studies", study=the_study()).known == report.new


def test_patients_become_cases_with_reasons_and_their_masks(cohort: Path, own_data: Path) -> None:
    report = ingest(cohort, study=the_study())
    assert [case.code for case in report.new] == ["C0001", "C0002"]
    assert report.findings == []
    first = report.new[0]
    assert first.tissue_type == "fibrous"
    assert all(series.evidence["reasons"] for series in first.series.all())
    assert ImportedMask.objects.get(series__case=first).roi_name == "gtv_mass"


@pytest.mark.slow
def test_the_same_folder_again_changes_nothing(cohort: Path, own_data: Path) -> None:
    ingest(cohort, study=the_study())
    again = ingest(cohort, study=the_study())
    assert again.new == []
    assert [case.code for case in again.known] == ["C0001", "C0002"]
    assert Patient.objects.count() == 2


def test_a_dry_run_stores_nothing(cohort: Path, own_data: Path) -> None:
    report = ingest(cohort, dry_run=True, study=the_study())
    assert len(report.reasons) == 2
    assert all([line[:4] for line in lines] == ["T1: ", "T2: "] for lines in report.reasons.values())
    assert Case.objects.count() == 0
    assert list(own_data.iterdir()) == []
    assert Ingest.objects.count() == Patient.objects.count() == 0


@pytest.mark.slow
def test_a_failure_in_the_middle_leaves_no_half_case_and_the_others_go_on(
    cohort: Path, own_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_args: object) -> None:
        monkeypatch.undo()
        raise OSError(errno.ENOSPC, CANARY)

    monkeypatch.setattr(pairs, "write_mask", full_disk)
    report = ingest(cohort, study=the_study())
    assert len(report.new) == 1
    assert "ENOSPC" in str(report.findings)
    assert CANARY not in str(report.findings)
    assert list((own_data / "cases").iterdir()) == [report.new[0].folder]
    assert list((own_data / "scratch").iterdir()) == []
    assert len(ingest(cohort, study=the_study()).new) == 1
    assert Case.objects.count() == Patient.objects.count() == 2


@pytest.mark.slow
def test_a_bad_patient_is_named_without_a_name_and_the_others_go_on(tmp_path: Path, own_data: Path) -> None:
    folder = tmp_path / CANARY
    write_phantom_cohort(folder, patients=2)
    for file in (folder / "patient_0002").rglob("*.dcm"):
        if pydicom.dcmread(file, stop_before_pixels=True).get("SeriesDescription") == "AX T2 TSE FS":
            file.unlink()
    (folder / f"{CANARY}.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"not really")
    report = ingest(folder, study=the_study())
    assert [case.code for case in report.new] == ["C0001"]
    codes = {finding.code for finding in report.findings}
    assert "no-t2" in codes
    assert "dicom-unreadable" in codes
    assert all(finding.remedy and CANARY not in str(finding) for finding in report.findings)


@pytest.mark.slow
def test_a_planted_name_is_found_nowhere_afterwards(
    tmp_path: Path, own_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / CANARY
    write_phantom_cohort(folder, patients=1)
    for file in folder.rglob("*.dcm"):
        dataset = pydicom.dcmread(file)
        for keyword in ("PatientName", "PatientID", "InstitutionName", "PatientComments", "StudyDescription"):
            setattr(dataset, keyword, CANARY)
        for region in dataset.get("StructureSetROISequence", []):
            region.ROIName = f"GTV_Mass {CANARY}"
        dataset.save_as(file.with_name(f"{CANARY} {file.name}"))
        file.unlink()
    (folder / "cases.csv").unlink()
    report = ingest(folder, study=the_study())
    assert len(report.new) == 1
    register_case(report.new[0])
    export_case(report.new[0])
    for needle in ("Canary", "Nightingale"):
        assert needle not in caplog.text
        assert needle not in _database()
        assert not [path for path in own_data.rglob("*") if needle.encode() in bytes(path)]
        assert not [p for p in own_data.rglob("*") if p.is_file() and needle.encode() in p.read_bytes()]


def _database() -> str:
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += [str(row) for row in cursor.fetchall()]
    return "\n".join(rows)


@pytest.mark.slow
def test_a_registered_case_has_pictures_and_its_mask_on_their_grid(cohort: Path, own_data: Path) -> None:
    case = ingest(cohort, study=the_study()).new[0]
    with pytest.raises(RejectedInput, match="case-not-registered"):
        export_case(case)
    assert register_case(case)
    assert not register_case(case)
    export_case(case)
    plane = picture_plane(case)
    assert case.slices.count() == 2 * plane.slice_count
    tumour = imported_label(case)
    assert tumour is not None
    assert tumour.grid.matches(plane.grid)
    assert tumour.foreground.any()
    assert case.registrations.get().checkerboard_path.read_bytes().startswith(b"\x89PNG")


def test_a_case_whose_volume_was_damaged_is_refused_by_name() -> None:
    case = registered_case("C0077")
    path = case.folder / "t1.nii.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RejectedInput, match="case-volume-changed"):
        volumes.case_volumes(case)


@pytest.mark.slow
def test_the_command_prints_one_json_document_and_leaves_with_1_on_findings(
    tmp_path: Path, own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "studies"
    write_phantom_cohort(folder, patients=1)
    (folder / "broken.dcm").write_bytes(b"")
    with pytest.raises(SystemExit) as left:
        call_command("ingest_studies", str(folder), "--json")
    assert left.value.code == 1
    document = json.loads(capsys.readouterr().out)
    assert document["new"] == ["C0001"]
    assert len(document["findings"]) == 1


def test_a_folder_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        call_command("ingest_studies", "/nowhere", "--json")
    assert left.value.code == 2
    assert json.loads(capsys.readouterr().out)["code"] == "no-such-folder"


def test_the_pseudonym_key_is_private_and_the_code_is_stable(cohort: Path, own_data: Path) -> None:
    ingest(cohort, study=the_study())
    key = own_data / "pseudonym.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(set(Patient.objects.values_list("pseudonym", flat=True))) == 2
    assert len(key.read_bytes()) == 32

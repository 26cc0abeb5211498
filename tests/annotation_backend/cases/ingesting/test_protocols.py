"""A study's protocol decides which images become a case: T1 alone, and T1 with optional ones beside it."""

from pathlib import Path

import pytest

from annotation_backend.cases.exclusion import SUPERSEDED
from annotation_backend.cases.ingesting.chosen_series import choose_series
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import Case, ImportedMask, Ingest, IngestOutcome, Patient
from tests.annotation_backend.support.records import second_study
from tests.curation.support.small_volumes import put_image, put_mask

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, settings) -> Path:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    return settings.DATA_FOLDER


def put(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        put_image(folder / f"{name}.nii", seed)


def roles_of(case: Case) -> list[str]:
    return sorted(case.series.values_list("role", flat=True))


def test_a_t1_alone_becomes_a_case_with_its_mask(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    put(folder / "P1", "MR_T1_image", "CT_image")
    put_mask(folder / "P1" / "MR_T1_mask.nii", 1)
    put_mask(folder / "P1" / "CT_mask.nii", 1)
    study = second_study(protocol="t1")
    report = ingest(folder, study=study)
    (case,) = report.new
    assert roles_of(case) == ["t1"]
    (mask,) = ImportedMask.objects.filter(series__case=case)
    assert (mask.series.role, mask.roi_name) == ("t1", "tumour")
    assert (case.folder / "series" / "t1.nii.gz").exists()
    again = ingest(folder, study=study)
    assert (again.new, again.known) == ([], [case])


def test_a_folder_for_another_protocol_is_named_in_the_run(tmp_path: Path) -> None:
    put(tmp_path / "in" / "P1", "MR_T1_image")
    report = ingest(tmp_path / "in", study=second_study(protocol="ct"))
    assert report.new == []
    assert [finding.code for finding in report.findings] == ["protocol-fits-nobody", "no-ct"]
    run = Ingest.objects.get()
    assert [finding["code"] for finding in run.findings] == ["protocol-fits-nobody"]
    assert run.patients.get().outcome == IngestOutcome.REFUSED


def test_a_folder_without_an_optional_image_is_no_other_case(tmp_path: Path) -> None:
    folder, study = tmp_path / "in", second_study(protocol="lipoma")
    put(folder / "P1", "t1", "t2_fs")
    (case,) = ingest(folder, study=study).new
    assert roles_of(case) == ["t1", "t2_fs"]
    (folder / "P1" / "t2_fs.nii").unlink()
    again = ingest(folder, study=study)
    assert (again.new, again.known) == ([], [case])
    assert case.exclusion is None


def test_an_optional_image_that_a_person_chooses_makes_a_case_in_place_of_the_first(tmp_path: Path) -> None:
    folder, study = tmp_path / "in", second_study(protocol="lipoma")
    put(folder / "P1", "t1", "t2_fs", "stir")
    (case,) = ingest(folder, study=study).new
    assert roles_of(case) == ["t1"]
    assert "ambiguous-t2_fs" in [finding["code"] for finding in case.findings]
    patient = Patient.objects.get(study=study)
    row = patient.ingests.get()
    assert row.outcome == IngestOutcome.NEW
    asked = [series["reference"] for series in row.considered if series["scores"]["t2_fs"] > 0]
    choose_series(patient, {"t2_fs": asked[0]})
    (other,) = ingest(folder, study=study).new
    assert roles_of(other) == ["t1", "t2_fs"]
    case = Case.objects.get(pk=case.pk)
    assert case.exclusion is not None
    assert case.exclusion.reason == SUPERSEDED


def test_an_optional_image_that_comes_after_annotations_leaves_the_case_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, study = tmp_path / "in", second_study(protocol="lipoma")
    put(folder / "P1", "t1")
    (case,) = ingest(folder, study=study).new
    put_image(folder / "P1" / "t2.nii", 5)
    monkeypatch.setattr(Case, "is_annotated", True)
    report = ingest(folder, study=study)
    assert (report.new, report.known) == ([], [case])
    assert "optional-too-late" in [finding.code for finding in report.findings]
    assert roles_of(case) == ["t1"]

"""The record that an ingest leaves of each patient, and the series that people choose for good."""

import json
import shutil
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import SUPERSEDED, exclude
from annotation_backend.cases.ingesting.chosen_series import choose_series, considered_series
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import (
    Case,
    ChosenSeries,
    ImportedMask,
    Ingest,
    IngestOutcome,
    IngestPatient,
    Patient,
)
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from datasets.errors import RejectedInput
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.cohorts import add_second_t2, remove_t2, series_folder, write_small_cohort
from tests.annotation_backend.support.records import the_study

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, settings) -> Path:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    return settings.DATA_FOLDER


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients: a sound one, one without a T2, one with two of them."""
    folder = write_small_cohort(tmp_path_factory.mktemp("cohort") / "studies", patients=3)
    remove_t2(folder, 2)
    add_second_t2(folder, 3)
    return folder


def _t2s(patient: Patient) -> list[str]:
    return [series["reference"] for series in considered_series(patient) if series["scores"]["t2"] > 0]


def test_an_ingest_writes_down_what_became_of_each_patient_and_why(cohort: Path) -> None:
    report = ingest(cohort, study=the_study())
    run = Ingest.objects.get()
    assert run.ended is not None
    assert run.file_count == len([path for path in cohort.rglob("*") if path.is_file()])
    rows = {row.patient.code: row for row in run.patients.all()}
    assert {row.outcome for row in rows.values()} == {IngestOutcome.NEW, IngestOutcome.REFUSED, IngestOutcome.UNDECIDED}
    new = run.patients.get(outcome=IngestOutcome.NEW)
    assert new.case == report.new[0]
    assert new.chosen["t1"]["reasons"]
    assert [series["chosen_as"] for series in new.considered] == [None, "t1", "t2"]
    refused = run.patients.get(outcome=IngestOutcome.REFUSED)
    assert [finding["code"] for finding in refused.findings] == ["no-t2", "mask-without-series"]
    assert "localizer" in refused.considered[0]["left_out"]
    assert [patient.code for patient in report.undecided] == [
        run.patients.get(outcome=IngestOutcome.UNDECIDED).patient.code
    ]


@pytest.mark.slow
def test_findings_name_patients_by_code_and_page_once_they_have_one(
    cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, names in ((["--dry-run"], ("patient 2 (first file: ",)), ([], ("P0002", "P0003"))):
        with pytest.raises(SystemExit):
            call_command("ingest_studies", str(cohort), *arguments, "--json", "--workers", "1")
        document = json.loads(capsys.readouterr().out)
        assert all(any(detail["subject"].startswith(name) for detail in document["details"]) for name in names)
        assert all(any(name in finding for finding in document["findings"]) for name in names)
    assert "first file" not in str(document)
    (refused,) = [detail for detail in document["details"] if detail["code"] == "no-t2"]
    assert refused["subject"] == "P0002"
    assert "/studies/mstt-199/cases/patients/P0002/" in refused["remedy"]
    rows = {row.patient.code: row for row in IngestPatient.objects.all()}
    assert rows["P0002"].findings[0] == refused
    assert all(row.reference == code for code, row in rows.items())
    assert all("first file" not in str(row.findings) for row in rows.values())
    assert "first file" not in str(list(Case.objects.values_list("findings", flat=True)))


def test_nothing_of_the_studies_own_names_is_written_down(cohort: Path) -> None:
    ingest(cohort, study=the_study())
    written = json.dumps([list(Ingest.objects.values()), list(IngestPatient.objects.values())], default=str)
    for needle in ("PHANTOM", "Phantom", "patient_0001", str(cohort), "2.25."):
        assert needle not in written


@pytest.mark.slow
def test_a_choice_is_taken_by_the_next_ingest_and_by_every_later_one(cohort: Path) -> None:
    patient = ingest(cohort, study=the_study()).undecided[0]
    first, second = _t2s(patient)
    choose_series(patient, {"t2": second})
    case = ingest(cohort, study=the_study()).new[0]
    assert case.patient == patient
    assert case.series.get(role="t2").evidence["series"] == second
    assert case.series.get(role="t2").evidence["chosen_by"] == "person"
    again = ingest(cohort, study=the_study())
    assert again.new == []
    assert case in again.known
    choose_series(patient, {"t2": first})
    assert ingest(cohort, study=the_study()).new[0].series.get(role="t2").evidence["series"] == first


@pytest.mark.slow
def test_another_choice_takes_the_place_of_the_first_case_and_back_again(cohort: Path) -> None:
    patient = ingest(cohort, study=the_study()).undecided[0]
    first, second = _t2s(patient)
    choose_series(patient, {"t2": first})
    old = ingest(cohort, study=the_study()).new[0]
    choose_series(patient, {"t2": second})
    report = ingest(cohort, study=the_study())
    new = report.new[0]
    assert Case.objects.get(pk=old.pk).exclusion.reason == SUPERSEDED
    assert "case-superseded" in {finding.code for finding in report.findings}
    assert list(Case.objects.in_use().filter(patient=patient)) == [new]
    choose_series(patient, {"t2": first})
    assert ingest(cohort, study=the_study()).new == []
    assert list(Case.objects.in_use().filter(patient=patient)) == [old]


@pytest.mark.slow
def test_a_case_that_somebody_drew_on_is_not_replaced(cohort: Path) -> None:
    patient = ingest(cohort, study=the_study()).undecided[0]
    first, second = _t2s(patient)
    choose_series(patient, {"t2": first})
    old = ingest(cohort, study=the_study()).new[0]
    project = LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())
    LabelingTask.objects.create(project=project, case=old, slice_index=0, label_studio_id=1, state="annotated")
    choose_series(patient, {"t2": second})
    report = ingest(cohort, study=the_study())
    assert report.new == []
    assert "choice-too-late" in {finding.code for finding in report.findings}
    assert list(Case.objects.in_use().filter(patient=patient)) == [old]
    assert IngestPatient.objects.filter(patient=patient).last().outcome == IngestOutcome.REFUSED
    exclude(old, reason="Registered wrongly.")  # the remedy of `case-annotated` and of `choice-too-late`
    [new] = ingest(cohort, study=the_study()).new
    assert list(Case.objects.in_use().filter(patient=patient)) == [new]


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ({}, "choice-incomplete"),
        ({"t2": "0000000000"}, "series-unknown"),
        ({"t1": "same", "t2": "same"}, "choice-twice"),
    ],
)
def test_a_choice_of_nothing_is_refused(cohort: Path, chosen: dict[str, str], code: str) -> None:
    patient = ingest(cohort, study=the_study()).undecided[0]
    with pytest.raises(RejectedInput, match=code):
        choose_series(patient, chosen)
    assert ChosenSeries.objects.count() == 0


def test_the_command_lists_and_writes_down(cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patient = ingest(cohort, study=the_study()).undecided[0]
    call_command("choose_series", "--patient", patient.code, "--json")
    said = capsys.readouterr()
    considered = json.loads(said.out)["considered"]
    assert len(considered) == 4
    assert all(f"{one['reference']} (series number {one['number']}): {one['kind']}" in said.err for one in considered)
    call_command("choose_series", "--patient", patient.code, "--t2", _t2s(patient)[0], "--dry-run", "--json")
    assert len(json.loads(capsys.readouterr().out)["considered"]) == 4
    for wrong in (["--t1", "typo"], ["--t1", _t2s(patient)[0], "--t2", _t2s(patient)[0]]):
        with pytest.raises(SystemExit) as left:
            call_command("choose_series", "--patient", patient.code, *wrong, "--dry-run", "--json")
        assert left.value.code == 2
    capsys.readouterr()
    assert not ChosenSeries.objects.exists()
    call_command("choose_series", "--patient", patient.code, "--t2", _t2s(patient)[0], "--json")
    assert ChosenSeries.objects.get().reference == _t2s(patient)[0]
    with pytest.raises(SystemExit) as left:
        call_command("choose_series", "--patient", "P9999")
    assert left.value.code == 2


def test_a_data_manager_chooses_on_the_patients_page(cohort: Path, client: Client, people: dict[Role, User]) -> None:
    patient = ingest(cohort, study=the_study()).undecided[0]
    address = page_at("patient-page", patient.code)
    client.force_login(people[Role.DATA_MANAGER])
    page = client.get(address).content.decode()
    assert all(reference in page for reference in _t2s(patient))
    assert "series number 4" in page
    assert client.post(address, {"t2": "made-up"}).status_code == 400
    assert client.post(address, {}).status_code == 400
    assert client.post(address, {"t2": _t2s(patient)[1], "reason": "Sharper."}).status_code == 302
    row = ChosenSeries.objects.get()
    assert (row.reference, row.person, row.reason) == (_t2s(patient)[1], people[Role.DATA_MANAGER], "Sharper.")
    assert "Sharper." in client.get(address).content.decode()


@pytest.mark.parametrize("role", list(Role))
def test_only_data_managers_choose(cohort: Path, client: Client, people: dict[Role, User], role: Role) -> None:
    patient = ingest(cohort, study=the_study()).undecided[0]
    client.force_login(people[role])
    answer = client.post(page_at("patient-page", patient.code), {"t2": _t2s(patient)[0]})
    may = role in (Role.ADMINISTRATOR, Role.DATA_MANAGER)
    assert answer.status_code == (302 if may else 403)
    assert ChosenSeries.objects.exists() == may


@pytest.mark.slow
def test_a_mask_that_comes_after_the_case_is_noticed(tmp_path: Path) -> None:
    folder = write_small_cohort(tmp_path / "studies", patients=1)
    regions = series_folder(folder, 1, "100_regions") / "regions.dcm"
    aside = tmp_path / "regions.dcm"
    regions.rename(aside)
    case = ingest(folder, study=the_study()).new[0]
    assert ImportedMask.objects.count() == 0
    aside.rename(regions)
    report = ingest(folder, study=the_study())
    assert report.known == [case]
    assert [finding.code for finding in report.findings] == ["mask-added"]
    mask = ImportedMask.objects.get()
    assert mask.series.case == case
    assert mask.path.exists()
    assert ingest(folder, study=the_study()).findings == []
    assert ImportedMask.objects.count() == 1


def test_the_same_pictures_under_two_names_are_one_case_and_said(tmp_path: Path) -> None:
    folder = tmp_path / "studies"
    ingest(write_small_cohort(tmp_path / "dicom", patients=1), study=the_study())
    case = Case.objects.get()
    for name in ("first", "second"):
        (folder / name).mkdir(parents=True)
        for role in ("t1", "t2"):
            shutil.copy(case.folder / "series" / f"{role}.nii.gz", folder / name / f"{role}.nii.gz")
    report = ingest(folder, study=the_study())
    assert len(report.new) == 1
    assert "series-of-another" in {finding.code for finding in report.findings}

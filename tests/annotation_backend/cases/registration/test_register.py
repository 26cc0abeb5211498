"""A real registration: its verdict, and how it is done again with other settings, by command and from the page."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from annotation_backend.accounts.models import Role
from annotation_backend.cases import jobs
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import Case, RedoState, RegistrationRedo, VerdictOfRegistration
from annotation_backend.cases.registration.export import export_cases
from annotation_backend.cases.registration.register import register_cases, settings_of
from annotation_backend.cases.registration.verdicts import decide_registration
from annotation_backend.cases.registration.volumes import case_volumes
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from datasets.formats.nifti import read_grid
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.cohorts import write_small_cohort
from tests.annotation_backend.support.records import accounts, saved, the_study

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_cohort(tmp_path_factory.mktemp("cohort") / "studies", patients=2)


@pytest.fixture
def cases(studies: Path, tmp_path: Path, settings) -> list[Case]:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    return ingest(studies, study=the_study()).new


def _fresh(case: Case) -> Case:
    return Case.objects.get(pk=case.pk)


@pytest.mark.slow
def test_a_registration_carries_its_verdict_and_its_checks(cases: list[Case]) -> None:
    report = register_cases(cases[:1], workers=1)
    assert report.done == cases[:1]
    registration = _fresh(cases[0]).registrations.get()
    assert registration.automatic_verdict == registration.record["quality"]["verdict"]
    assert registration.verdict == registration.automatic_verdict
    assert {"code", "value", "limit", "verdict", "message"} <= set(registration.checks[0])
    assert registration.checkerboard_path.with_name("thumbnail.png").read_bytes().startswith(b"\x89PNG")
    assert register_cases(cases[:1], workers=1).done == []


@pytest.mark.slow
def test_a_series_that_was_damaged_keeps_its_case_out_and_the_other_goes_on(cases: list[Case]) -> None:
    path = cases[0].series.get(role="t1").path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    report = register_cases(cases, workers=1)
    assert report.done == cases[1:]
    assert [(finding.code, finding.subject) for finding in report.findings] == [("case-volume-changed", cases[0].code)]
    assert not _fresh(cases[0]).is_registered


@pytest.mark.slow
def test_the_command_registers_again_with_other_settings_and_a_persons_verdict_starts_anew(
    cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    case, other = cases
    register_cases(cases, settings=settings_of("fast", "rigid"), workers=1)
    before, others = _fresh(case).registrations.get(), _fresh(other).registrations.get()
    assert before.record["settings"]["motion"] == "rigid"
    person = accounts()[Role.DATA_MANAGER]
    decide_registration(
        case, person, verdict=VerdictOfRegistration.REJECT, record_sha256=before.record_sha256, comment="Wrong leg."
    )
    capsys.readouterr()
    arguments = ["--redo", "--case", case.code, "--preset", "fast", "--motion", "affine", "--workers", "1", "--json"]
    call_command("register_cases", *arguments)
    assert json.loads(capsys.readouterr().out)["registered"] == [case.code]
    after = _fresh(case).registrations.get()
    assert after.record["settings"]["motion"] == "affine"
    assert after.record_sha256 != before.record_sha256
    assert after.verdict == after.automatic_verdict != VerdictOfRegistration.REJECT
    assert _fresh(other).registrations.get().record_sha256 == others.record_sha256
    assert [folder.name for folder in (case.folder / "registration").iterdir()] == [after.folder.name]
    assert case.registration_verdicts.get().record_sha256 == before.record_sha256
    case_volumes(_fresh(case))


@pytest.mark.slow
def test_a_persons_rejection_outlives_the_very_same_registration(cases: list[Case]) -> None:
    (case, _), person = cases, accounts()[Role.DATA_MANAGER]
    register_cases([case], workers=1)
    before = _fresh(case).registrations.get()
    decide_registration(
        case, person, verdict=VerdictOfRegistration.REJECT, record_sha256=before.record_sha256, comment="Wrong leg."
    )
    assert register_cases([_fresh(case)], again=True, workers=1).done == [case]
    after = _fresh(case).registrations.get()
    assert after.record_sha256 == before.record_sha256
    assert (after.verdict, after.automatic_verdict) == (VerdictOfRegistration.REJECT, before.automatic_verdict)


@pytest.mark.slow
def test_a_dry_run_says_what_would_be_done_and_does_nothing(cases: list[Case], capsys) -> None:
    call_command("register_cases", "--dry-run", "--json")
    said = capsys.readouterr()
    assert json.loads(said.out)["to_register"] == ["C0001", "C0002"]
    assert "C0001, C0002" in said.err
    register_cases(cases[:1])
    with pytest.raises(SystemExit) as left:
        call_command("export_slices", "--dry-run", "--json")
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert left.value.code == 1
    assert document["to_export"] == ["C0001"]
    assert "case-not-registered" in document["findings"][0]
    assert "Would be exported: C0001" in said.err
    assert not _fresh(cases[0]).slices.exists()
    assert not _fresh(cases[1]).is_registered


@pytest.mark.slow
def test_a_redo_from_the_page_runs_as_a_job_and_draws_the_pictures_anew(cases: list[Case], client: Client) -> None:
    case = cases[0]
    register_cases([case], settings=settings_of("fast", "rigid"), workers=1)
    export_cases([_fresh(case)], workers=1)
    pictured = _fresh(case).pictured_sha256
    client.force_login(accounts()[Role.DATA_MANAGER])
    address = page_at("registration-page", case.code)
    form = {"action": "redo", "preset": "ants", "motion": "affine"}
    assert client.post(address, form).status_code == 302
    again = client.post(address, form)
    assert again.status_code == 409
    assert "If it still waits then, no worker runs" in again.content.decode()
    redo = RegistrationRedo.objects.get()
    assert redo.state == RedoState.QUEUED
    page = client.get(address).content.decode()
    assert "Waits for a worker" in page
    assert "<code>manage.py up</code> starts a worker" in page
    limits = {row["code"]: row["limit"] for row in case.registrations.get().checks}
    assert f"<td>≥ {limits['body-overlap']:.2f}</td>" in page
    assert f"<td>≤ {limits['shift']:g}</td>" in page
    assert jobs.register_again.func(redo_id=redo.pk)
    redo.refresh_from_db()
    assert redo.state == RedoState.DONE
    again = _fresh(case)
    assert again.registrations.get().record["settings"]["preset"] == "ants"
    if not again.registrations.get().is_doubtful:
        assert again.pictured_sha256 == again.registrations.get().record_sha256 != pictured
    assert all(picture.path.exists() for picture in case.slices.all())
    assert not jobs.register_again.func(redo_id=redo.pk)


@pytest.mark.slow
def test_a_published_case_keeps_its_grid(cases: list[Case]) -> None:
    """Its tissue type has changed, so that another grid would come out; its tasks were cut on the old one."""
    case = next(case for case in cases if case.tissue_type != "fat")
    t1, t2 = (read_grid(case.series.get(role=role).path) for role in ("t1", "t2"))
    assert t1.spacing[0] < t2.spacing[0]
    register_cases([_fresh(case)], workers=1)
    before = _fresh(case).registrations.get().record_sha256
    project = LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())
    LabelingTask.objects.create(project=project, case=case, slice_index=0, label_studio_id=1)
    Case.objects.filter(pk=case.pk).update(tissue_type="fat")
    report = register_cases([_fresh(case)], again=True, workers=1)
    assert [finding.code for finding in report.findings] == ["case-published"]
    assert _fresh(case).registrations.get().record_sha256 == before


@pytest.mark.slow
def test_a_case_that_is_drawn_on_while_the_cases_before_it_are_registered_keeps_its_registration(
    cases: list[Case],
) -> None:
    """The rule is asked before the minutes of computing, and again when the registration would be replaced."""
    register_cases(cases, settings=settings_of("fast", "rigid"), workers=1)
    first, second = (_fresh(case) for case in cases)
    project = LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())
    export_cases([second], workers=1)
    task = LabelingTask.objects.create(project=project, case=second, slice_index=0, label_studio_id=101)
    before = {path.name: path.stat().st_mtime_ns for path in second.registrations.get().folder.iterdir()}

    def drawn_meanwhile(done: int, _total: int) -> None:
        if done == 1:
            saved(task, result=[])

    report = register_cases([first, second], again=True, workers=1, progress=drawn_meanwhile)
    assert report.done == [first]
    assert [(finding.code, finding.subject) for finding in report.findings] == [("case-annotated", second.code)]
    kept = _fresh(second).registrations.get()
    assert kept.record_sha256 == second.registrations.get().record_sha256
    assert {path.name: path.stat().st_mtime_ns for path in kept.folder.iterdir()} == before
    assert [folder.name for folder in kept.folder.parent.iterdir()] == [kept.folder.name]


@pytest.mark.slow
def test_a_dry_run_of_a_redo_names_the_cases_that_it_would_refuse(cases: list[Case], capsys) -> None:
    register_cases(cases[:1], workers=1)
    project = LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())
    saved(LabelingTask.objects.create(project=project, case=cases[0], slice_index=0, label_studio_id=101))
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        call_command("register_cases", "--redo", "--dry-run", "--json")
    document = json.loads(capsys.readouterr().out)
    assert (left.value.code, document["to_register"]) == (1, [cases[1].code])
    assert "case-annotated" in document["findings"][0]

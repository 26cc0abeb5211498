"""A cohort on a Dask cluster of separate processes, one worker killed on the way; and the report of it."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from annotation_backend.accounts.models import Role
from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import Case, Patient, Registration, VerdictOfRegistration
from annotation_backend.cases.registration.export import export_cases
from annotation_backend.cases.registration.register import register_cases
from annotation_backend.cases.registration.volumes import case_volumes, select_cases
from annotation_backend.cases.report import cohort, write_report
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.cohorts import add_second_t2, break_pixels, remove_t2, write_small_cohort
from tests.annotation_backend.support.dask_processes import DaskProcesses, dask_processes
from tests.annotation_backend.support.records import accounts, the_study

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

PATIENTS, WITHOUT_T2, WITH_TWO_T2, BROKEN = 7, 2, 4, 6


@pytest.fixture
def own_data(tmp_path: Path, settings) -> Path:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    return settings.DATA_FOLDER


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    folder = write_small_cohort(tmp_path / "studies", patients=PATIENTS)
    remove_t2(folder, WITHOUT_T2)
    add_second_t2(folder, WITH_TWO_T2)
    break_pixels(folder, BROKEN)
    return folder


@pytest.fixture
def dask(own_data: Path, settings) -> Iterator[DaskProcesses]:
    with dask_processes(workers=2) as processes:
        settings.DASK_SCHEDULER = processes.address
        yield processes


def _killing(dask: DaskProcesses, killed: list[int]) -> Callable[[int, int], None]:
    """Progress that kills a worker once, when the first case is done and others are under way."""

    def progress(done: int, _of: int) -> None:
        if done == 1 and not killed:
            killed.append(dask.kill_a_worker())

    return progress


def test_a_cohort_comes_through_though_a_worker_is_killed(
    studies: Path, own_data: Path, dask: DaskProcesses, tell_figure: Callable[[str], None]
) -> None:
    killed: list[int] = []
    report = ingest(studies, storing=_killing(dask, killed), study=the_study())
    sound = PATIENTS - 3
    assert len(report.new) == Case.objects.count() == sound
    assert Patient.objects.count() == PATIENTS
    assert len({case.source_sha256 for case in report.new}) == sound
    killed_later: list[int] = []
    registered = register_cases(select_cases(None), progress=_killing(dask, killed_later))
    assert len(killed) == len(killed_later) == 1
    assert len(registered.done) == len(set(registered.done)) == Registration.objects.count() == sound
    Registration.objects.update(verdict=VerdictOfRegistration.ACCEPT)
    exported = export_cases(select_cases(None))
    assert exported.findings == []
    assert sorted(exported.pictures) == sorted(Case.objects.values_list("code", flat=True))
    for case in Case.objects.all():
        case_volumes(case)
        assert case.slices.count() == exported.pictures[case.code] > 0
        assert len(list((case.folder / "registration").iterdir())) == 1
    assert {folder.name for folder in (own_data / "cases").iterdir()} == {case.code for case in Case.objects.all()}
    assert list((own_data / "scratch").glob("run-*")) == []
    _check_report(cohort(the_study()).as_dict(), sound)
    assert register_cases(select_cases(None)).done == []
    assert set(export_cases(select_cases(None)).pictures.values()) == {0}
    assert ingest(studies, study=the_study()).new == []
    tell_figure(f"cohort of {PATIENTS} on two Dask workers, two killed: {sound} cases done, none twice")


def _check_report(facts: dict, sound: int) -> None:
    assert facts["outcomes"] == {"New case": sound, "A person has to choose": 1, "Refused": 2}
    assert facts["verdicts"] == {"Accepted": sound}
    assert len(facts["cases"]) == sound
    assert {row["state"] for row in facts["cases"].values()} == {"exported"}
    codes = sorted(code for row in facts["without_case"].values() for code in row["findings"])
    assert len(facts["without_case"]) == 3
    assert "no-t2" in codes
    assert any(code.startswith("ambiguous") for code in codes)


def test_a_run_that_was_killed_goes_on_and_leaves_nothing_behind(tmp_path: Path, own_data: Path) -> None:
    folder = write_small_cohort(tmp_path / "studies", patients=3)

    class Killed(BaseException):
        pass

    def kill(done: int, _of: int) -> None:
        if done == 1:
            raise Killed

    with pytest.raises(Killed):
        ingest(folder, storing=kill, study=the_study())
    assert Case.objects.count() == 1
    leftover = own_data / "scratch" / "run-of-a-process-that-is-gone"
    leftover.mkdir(parents=True)
    leftover.with_suffix(".lock").touch()
    report = ingest(folder, study=the_study())
    assert (len(report.new), len(report.known)) == (2, 1)
    assert list((own_data / "scratch").iterdir()) == []


def test_the_report_is_one_file_with_pictures_links_and_no_patient(
    studies: Path, own_data: Path, tmp_path: Path, settings
) -> None:
    ingest(studies, study=the_study())
    first = Case.objects.order_by("code").first()
    assert first is not None
    exclude(first, reason="Cropped.")
    path, report = write_report(the_study(), tmp_path / "out")
    content = path.read_text()
    assert content.count("data:image/png;base64,") == 2 * len(report.cases)
    assert not re.search(r'(src|href)="(?!data:|http://127\.0\.0\.1:8000/studies/mstt-199/cases/)', content)
    assert "Cropped." in content
    for patient in Patient.objects.all():
        assert f"{settings.MASKLOOP_URL}/studies/mstt-199/cases/patients/{patient.code}/" in content
    for case in Case.objects.all():
        assert f"{settings.MASKLOOP_URL}/studies/mstt-199/cases/{case.code}/" in content
    for needle in ("PHANTOM", "Phantom", "patient_0001", str(studies)):
        assert needle not in content


def test_the_reports_page_shows_the_same_and_its_pictures_open(
    studies: Path, own_data: Path, client: Client, django_assert_max_num_queries
) -> None:
    ingest(studies, study=the_study())
    client.force_login(accounts()[Role.DATA_MANAGER])
    # However many cases: with the study, the role, the portion, damages, and sources.
    with django_assert_max_num_queries(17):
        page = client.get(page_at("cohort-report")).content.decode()
    sources = re.findall(r'src="(/studies/mstt-199/cases/[^"]+\.png)"', page)
    assert len(sources) == 2 * Case.objects.count()
    assert all(client.get(source).content.startswith(b"\x89PNG") for source in sources)
    assert "data:" not in page


def test_the_command_writes_it_into_the_data_folder(
    studies: Path, own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(studies, study=the_study())
    call_command("report_cohort", "--json")
    document = json.loads(capsys.readouterr().out)
    assert Path(document["file"]) == own_data / "reports" / "cohort.html"
    assert len(document["without_case"]) == 3

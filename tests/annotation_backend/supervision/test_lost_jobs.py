"""Jobs whose worker was killed: found by a lock that the system let go of, run again, given up in the end and named."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from annotation_backend.accounts.services import create_first_accounts, first_role
from annotation_backend.cases.jobs import register_again
from annotation_backend.cases.models import RedoState, RegistrationRedo
from annotation_backend.doctor import processes
from annotation_backend.environment import ROOT
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.studies.people import add_first_accounts
from annotation_backend.supervision.lost_jobs import MOST_DEATHS, WORKER_GONE, take_up_lost_jobs
from annotation_backend.supervision.presence import Part, clear_gone, is_present, missing, present
from datasets.errors import RejectedInput, TryAgain
from tests.annotation_backend.support.records import accounts, registered_case, the_study

pytestmark = pytest.mark.django_db

_HOLD = """
import django; django.setup()
from annotation_backend.supervision.presence import Part, present
with present(Part.WORKER) as name:
    print(name, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, settings) -> Path:
    settings.DATA_FOLDER = tmp_path
    return tmp_path


@pytest.fixture
def worker(own_data: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Another process that is present as the worker, and its name."""
    own = {"MASKLOOP_DATA": str(own_data), "DJANGO_SETTINGS_MODULE": "annotation_backend.settings"}
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD], cwd=ROOT, env={**os.environ, **own}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def _running(worker: str, *, deaths: int = 1, job=assemble_case, **kwargs: object) -> DBTaskResult:
    result = job.enqueue(**(kwargs or {"case_code": "C0001"}))
    rows = DBTaskResult.objects.filter(pk=result.id)
    rows.update(status="RUNNING", started_at=timezone.now(), worker_ids=["before"] * (deaths - 1) + [worker])
    return rows.get()


@pytest.mark.slow
def test_a_process_is_present_until_it_is_killed_and_while_it_is_stopped(worker) -> None:
    process, name = worker
    assert is_present(name)
    assert missing() == [Part.TRAINER, Part.RECONCILER]
    process.send_signal(signal.SIGSTOP)
    assert is_present(name)
    process.kill()
    process.wait()
    assert not is_present(name)
    assert missing() == list(Part)
    clear_gone()
    assert not list((settings.DATA_FOLDER / "presence").iterdir())


@pytest.mark.parametrize("name", ["", "x" * 32, "../..", "worker--../../etc/passwd", "worker--gone--1--2"])
def test_a_name_of_nobody_is_not_present(name: str) -> None:
    assert not is_present(name)


@pytest.mark.slow
def test_the_job_of_a_living_worker_is_left_alone_and_that_of_a_killed_one_is_queued_again(worker) -> None:
    process, name = worker
    row = _running(name)
    assert take_up_lost_jobs() == 0
    process.kill()
    process.wait()
    with pytest.raises(TryAgain, match=r"assemble_case of C0001\. .*\[jobs-lost\]"):
        processes.jobs()
    assert take_up_lost_jobs() == 1
    row.refresh_from_db()
    assert (row.status, row.worker_ids) == ("READY", [name])
    assert row in DBTaskResult.objects.ready()
    processes.jobs()


def test_a_job_that_workers_die_of_is_given_up_and_named_until_it_succeeds() -> None:
    registered_case()
    row = _running("gone", deaths=MOST_DEATHS)
    take_up_lost_jobs()
    row.refresh_from_db()
    assert (row.status, row.exception_class_path) == ("FAILED", WORKER_GONE)
    with pytest.raises(RejectedInput, match=r"assemble_case of C0001\. .*\[jobs-given-up\]"):
        processes.jobs()
    DBTaskResult.objects.filter(pk=assemble_case.enqueue(case_code="C0001").id).update(status="SUCCESSFUL")
    processes.jobs()


def test_a_registration_that_is_given_up_has_failed_and_may_be_asked_for_again() -> None:
    case, people = registered_case(), accounts()
    redo = RegistrationRedo.objects.create(case=case, person=next(iter(people.values())), state=RedoState.RUNNING)
    _running("gone", deaths=MOST_DEATHS, job=register_again, redo_id=redo.pk)
    take_up_lost_jobs()
    redo.refresh_from_db()
    assert redo.state == RedoState.FAILED
    assert "worker.log" in redo.finding


def test_missing_processes_are_named_by_the_doctor_and_on_the_first_page_for_staff_only(client, monkeypatch) -> None:
    monkeypatch.setattr("annotation_backend.pages.home.is_up", lambda **_options: False)
    with pytest.raises(TryAgain, match=r"the reconciler is not running .*\[process-missing\]"):
        processes.processes()
    people = {first_role(person): person for person in create_first_accounts()}
    add_first_accounts(the_study())
    client.force_login(people["data_manager"])
    page = client.get("/").content.decode()
    assert "The worker is not running: masks are not assembled" in page
    assert "Label Studio does not answer" in page
    client.force_login(people["annotator"])
    assert "not running" not in client.get("/").content.decode()
    assert client.get("/alive").json() == {"status": "UP", "missing": ["worker", "trainer", "reconciler"]}


def test_with_all_processes_nothing_is_missing() -> None:
    with present(Part.WORKER), present(Part.TRAINER), present(Part.RECONCILER):
        assert missing() == []
        processes.processes()
    assert missing() == list(Part)


@pytest.mark.slow
def test_a_worker_takes_up_what_a_killed_one_left_and_runs_it(own_data: Path) -> None:
    """The real command, on a database of its own, killed in the middle of a job."""
    environment = {
        **os.environ, "MASKLOOP_DATA": str(own_data), "DJANGO_SETTINGS_MODULE": "annotation_backend.settings",
        "DATABASE_URL": f"sqlite:///{own_data / 'ours.sqlite3'}",
    }  # fmt: skip

    def manage(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    manage("migrate", "--verbosity", "0")
    lost = (
        "from annotation_backend.labeling.jobs import mirror_case_states as j; from django_tasks_db.models import"
        " DBTaskResult as R; j.enqueue(case_code='C0001'); R.objects.update(status='RUNNING', worker_ids=['gone'])"
    )
    manage("shell", "-c", lost)
    manage("db_worker", "--no-reload", "--batch", "--no-startup-delay")
    told = "from django_tasks_db.models import DBTaskResult as R; print(*R.objects.values_list('status', 'worker_ids'))"
    assert "('SUCCESSFUL', ['gone', 'worker--" in manage("shell", "-c", told)

"""An installation of before there were studies: all that was in it belongs to the first one, and its jobs run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django_tasks_db.models import DBTaskResult

from annotation_backend.environment import ROOT
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling import jobs
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.predictions.jobs import push_slices
from annotation_backend.learning.jobs import train_on_approved
from annotation_backend.studies.models import Study
from benchmarks.load.throwaway_postgresql import create_database, program_folder, throwaway_postgresql
from datasets.study.shipped_protocols import FIRST, shipped_protocol
from tests.annotation_backend.studies.older_rows import ROLES, ROWS
from tests.annotation_backend.support.records import accounts, published, registered_case, saved

PROGRAM = "tests.annotation_backend.studies.older_rows"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a PostgreSQL that nobody else uses."""
    if program_folder() is None:
        pytest.skip("NO POSTGRESQL: the tests on it did not run. Install it (apt-get install postgresql).")
    with throwaway_postgresql() as url:
        yield url


def _upgraded(kind: str, database: str, tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    url = f"sqlite:///{tmp_path / 'ours.sqlite3'}"
    if database == "postgresql":
        url = create_database(request.getfixturevalue("server"), f"older_{kind}")
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    words = [sys.executable, "-m", PROGRAM, kind]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["vendor"] == database
    return found


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("kind", ["people", "nobody"])
def test_all_that_was_there_belongs_to_the_first_study(
    kind: str, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    found = _upgraded(kind, database, tmp_path, request)
    assert found["after"] == found["before"], "no row is lost, and none is made"
    filled = {label for label, count in found["before"].items() if count == ROWS}
    assert {"cases.Case", "labeling.LabelingProject", "registry.Promotion", "publishing.Release"} <= filled
    digest = shipped_protocol(FIRST).digest
    assert found["studies"] == [[FIRST, True, digest]]
    assert found["versions"] == [digest]
    owned = {"cases.Patient", "cases.Case", "cases.Ingest", "labeling.LabelingProject", "registry.Promotion"}
    for label in {*owned, "learning.Snapshot", "publishing.Release"}:
        assert found["belonging"][label] == {FIRST: ROWS}, label
    members = dict(found["members"])
    if kind == "people":
        assert set(filled) >= {"review.Review", "labeling.Annotation", "cases.RegistrationVerdict"}
        assert {role: members.get(f"{role}@maskloop.local") for role in ROLES[1:]} == {role: role for role in ROLES[1:]}
    else:
        assert not members


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_an_empty_database_gets_no_study(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    found = _upgraded("empty", database, tmp_path, request)
    assert found["studies"] == found["members"] == []
    assert found["belonging"] == {}


@pytest.mark.django_db
def test_jobs_that_waited_since_then_run(
    study: Study, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_FOLDER = tmp_path
    accounts()
    task = published(registered_case())[2]
    saved(task)
    DBTaskResult.objects.all().delete()
    queue_once(assemble_case, case_code="C0001")
    row = DBTaskResult.objects.get()
    assert row.args_kwargs == {"args": [], "kwargs": {"case_code": "C0001"}}, "as it was queued then"
    monkeypatch.setattr(jobs, "mirror_states", lambda _case: 0)
    assert row.task.func(**row.args_kwargs["kwargs"]) == CaseMask.objects.get().pk
    assert train_on_approved.func() is None, "nothing is approved; the study needs no name"
    assert push_slices.func(slices={"C0001": []}) == 0

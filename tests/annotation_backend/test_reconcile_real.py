"""The real Label Studio: whatever becomes of its webhooks, a reconciliation finds what it has; versions go back.

Only Label Studio is started, beside the test's own web service.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.environment import ROOT
from annotation_backend.labeling import confirm, publish, refresh, webhook
from annotation_backend.labeling.assembly import assemble, current_saves
from annotation_backend.labeling.client import call, is_up
from annotation_backend.labeling.confirm import confirm_saves
from annotation_backend.labeling.connection import ml_backend_url, webhook_headers
from annotation_backend.labeling.drawn import decode_missing
from annotation_backend.labeling.events import receive
from annotation_backend.labeling.interface import label_config
from annotation_backend.labeling.losses import note_losses, open_findings
from annotation_backend.labeling.models import Annotation, LabelingProject, LabelingTask, ReceivedBy, TaskState
from annotation_backend.labeling.reconcile import pull
from annotation_backend.labeling.regions import MaskFormat, region_of
from annotation_backend.labeling.upkeep import take_up
from annotation_backend.labeling.versions import restore
from annotation_backend.labeling.watch import webhooks
from datasets.errors import TryAgain
from datasets.nifti import read_mask
from tests.annotation_backend.installation import Installation, fresh_installation
from tests.annotation_backend.records import SHAPE, accounts, registered_case
from tests.annotation_backend.waiting import eventually

pytestmark = [pytest.mark.label_studio, pytest.mark.django_db(transaction=True)]

START_SECONDS = 400.0


@pytest.fixture(scope="module")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = fresh_installation(tmp_path_factory.mktemp("label-studio"))
    with (installation.folder / "label_studio.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_label_studio"],
            cwd=ROOT,
            env=installation.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        yield installation
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


class Door:
    """Our end of the webhooks: each of Label Studio's real bodies is taken, lost, or held for later."""

    def __init__(self) -> None:
        self.way = "take"
        self.held: list[Mapping[str, Any]] = []

    def __call__(self, body: Mapping[str, Any]) -> str:
        if self.way == "lose":
            raise TryAgain("restarting", "We are not there.", remedy="Wait.")
        if self.way == "hold":
            self.held.append(body)
            return "held"
        return receive(body)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    door = Door()
    monkeypatch.setattr(webhook, "receive", door)
    monkeypatch.setattr(refresh, "behind_save", lambda _save: None)
    monkeypatch.setattr(confirm, "PATIENCE", timedelta(0))
    return door


@pytest.fixture
def case(
    label_studio: Installation, live_server: LiveServer, settings: Any, monkeypatch: pytest.MonkeyPatch, door: Door
) -> Case:
    settings.LABEL_STUDIO_URL = label_studio.label_studio_url
    settings.LABEL_STUDIO_TOKEN = label_studio.token
    settings.MASKLOOP_URL = live_server.url
    eventually(is_up, seconds=START_SECONDS, what="Label Studio's start")
    body = {"title": "Reconciled", "label_config": label_config(MaskFormat.BRUSH, has_oedema=False)}
    made = call("POST", "/api/projects/", json=body)
    project = LabelingProject.objects.create(label_studio_id=made["id"], title="Reconciled")
    webhooks.mend(project, [])
    monkeypatch.setattr(publish, "ensure_project", lambda: project)
    accounts()
    case = registered_case()
    publish.publish(case)
    return case


def _mask(size: int) -> np.ndarray:
    mask = np.zeros((SHAPE[1], SHAPE[0]), dtype=bool)
    mask[2 : 2 + size, 3 : 3 + size] = True
    return mask


def _result(size: int) -> list[dict[str, Any]]:
    return [region_of(_mask(size), region_id="a", score=None)] if size else []


class Person:
    """Somebody who works in Label Studio."""

    def __init__(self, door: Door) -> None:
        self.door = door

    def create(self, index: int, size: int, *, way: str, skips: bool = False) -> int:
        self.door.way = way
        body = {"result": _result(size), "was_cancelled": skips, "lead_time": 1.0}
        return int(call("POST", f"/api/tasks/{_number(index)}/annotations/", json=body)["id"])

    def edit(self, annotation: int, size: int, *, way: str) -> None:
        self.door.way = way
        call("PATCH", f"/api/annotations/{annotation}/", json={"result": _result(size)})

    def delete(self, annotation: int, *, way: str) -> None:
        self.door.way = way
        call("DELETE", f"/api/annotations/{annotation}/")


def _number(index: int) -> int:
    return LabelingTask.objects.get(slice_index=index).label_studio_id


def _work(case: Case) -> None:
    decode_missing(case)
    assert confirm_saves(case) == 0
    note_losses(case)
    assemble(case, confirmed_only=True)


def _sizes(case: Case) -> dict[int, int | None]:
    """By slice: pixels of the mask that counts, None where nothing does; and the assembled mask says the same."""
    current = current_saves(case, confirmed_only=True)
    sizes = {index: save.drawn.areas.get("Tumour", 0) if save else None for index, save in current.items()}
    made = assemble(case, confirmed_only=True)
    if made is not None and any(current.values()):
        per_slice = read_mask(made.path).foreground.sum(axis=(0, 1))
        assert per_slice.tolist() == [sizes[index] or 0 for index in range(SHAPE[2])]
    return sizes


def test_lost_late_doubled_and_reordered_webhooks_and_a_task_made_anew_end_in_what_label_studio_has(
    case: Case, door: Door, tell_figure: Callable[[str], None]
) -> None:
    person, project = Person(door), LabelingProject.objects.get()
    began = time.monotonic()
    first = person.create(0, 3, way="lose")
    person.edit(first, 4, way="take")
    second = person.create(1, 5, way="hold")
    person.edit(second, 6, way="hold")
    third = person.create(2, 7, way="take")
    person.delete(third, way="lose")
    person.create(3, 8, way="lose")
    fifth = person.create(4, 9, way="hold")
    person.edit(fifth, 10, way="take")
    pull(project)
    gone = _number(4)
    call("DELETE", f"/api/tasks/{gone}/")
    door.way = "take"
    assert publish.publish(case) == 1
    for body in [*reversed(door.held), *door.held]:
        receive(body)
    _work(case)
    report = pull(project)
    _work(case)
    assert report.refused == []
    assert _sizes(case) == {0: 16, 1: 36, 2: None, 3: 64, 4: 100}
    states = dict(LabelingTask.objects.values_list("slice_index", "state"))
    assert [index for index, state in states.items() if state == TaskState.PENDING] == [2]
    assert not open_findings(case).filter(kind="unconfirmed").exists()
    versions = {row.slice_index: row.annotations.count() for row in LabelingTask.objects.all()}
    assert versions == {0: 1, 1: 2, 2: 1, 3: 1, 4: 2}  # what was lost and overwritten before anybody asked is gone
    tell_figure(
        f"real Label Studio: task {gone} made anew as {_number(4)}; reconciled after {time.monotonic() - began:.0f} s"
    )

    person.edit(first, 11, way="lose")
    person.delete(second, way="lose")
    changes = pull(project, is_full=False)
    _work(case)
    assert (changes.stored, changes.deleted) == (1, 1)
    assert changes.seen < Annotation.objects.count(), "only what changed was asked for"
    assert _sizes(case) == {0: 121, 1: None, 2: None, 3: 64, 4: 100}


def test_versions_go_back_and_forgeries_do_not_count(case: Case, door: Door, live_server: LiveServer) -> None:
    person = Person(door)
    admin = User.objects.get(role=Role.ADMINISTRATOR)
    drawn = person.create(0, 10, way="take")
    person.edit(drawn, 2, way="take")
    _work(case)
    [loss] = open_findings(case)
    whole = loss.before
    assert (loss.kind, loss.numbers["area_before"], loss.numbers["area_after"]) == ("area", 100, 4)

    made = restore(whole, person=admin).result
    assert made is not None
    assert made.received_by == ReceivedBy.WEBHOOK
    assert made.raw["result"] == whole.raw["result"]
    assert call("GET", f"/api/annotations/{drawn}/")["result"] == whole.raw["result"]
    assert not open_findings(case).exists()
    _work(case)
    assert _sizes(case)[0] == 100

    person.delete(drawn, way="take")
    _work(case)
    assert _sizes(case)[0] is None
    again = restore(whole, person=admin).result
    assert again is not None
    assert again.label_studio_id != drawn
    assert call("GET", f"/api/annotations/{again.label_studio_id}/")["completed_by"] == whole.completed_by

    call("DELETE", f"/api/tasks/{_number(0)}/")
    publish.publish(case)
    last = restore(whole, person=admin).result
    _work(case)
    assert last is not None
    assert last.label_studio_task == _number(0)
    assert _sizes(case)[0] == 100

    forged = {**last.raw, "result": [], "updated_at": "2030-01-01T00:00:00.000000Z"}
    body = {"action": "ANNOTATION_UPDATED", "annotation": forged}
    sent = requests.post(f"{ml_backend_url()}/webhook", json=body, headers=webhook_headers(), timeout=10)
    assert sent.json() == {"received": "stored"}
    _work(case)
    assert _sizes(case)[0] == 100
    assert [finding.kind for finding in open_findings(case)] == ["unconfirmed"]

    project = LabelingProject.objects.get()
    call("DELETE", f"/api/projects/{project.label_studio_id}/")
    assert "project-gone" in take_up(project).refused[0]
    assert _sizes(case)[0] == 100

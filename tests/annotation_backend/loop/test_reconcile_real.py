"""The real Label Studio: whatever becomes of its webhooks, a reconciliation finds what it has; versions go back.

Only Label Studio is started, beside the test's own web service.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from django.conf import settings as conf
from pytest_django.live_server_helper import LiveServer

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import close_person, create_person
from annotation_backend.cases.models import Case
from annotation_backend.environment import LISTENER_FOR_LABEL_STUDIO, ROOT, password_variable
from annotation_backend.labeling.interface.interface import label_config
from annotation_backend.labeling.masks.regions import MaskFormat, region_of
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationFinding,
    CaseMask,
    LabelingProject,
    LabelingTask,
    ReceivedBy,
    StudioChange,
    Subject,
    TaskState,
)
from annotation_backend.labeling.predictions import neighbours
from annotation_backend.labeling.project import publish
from annotation_backend.labeling.project.deleted_project import bring_back, is_gone
from annotation_backend.labeling.project.people import ensure_people
from annotation_backend.labeling.saves import confirm
from annotation_backend.labeling.saves.confirm import confirm_saves
from annotation_backend.labeling.saves.reconcile import pull
from annotation_backend.labeling.saves.store import receive
from annotation_backend.labeling.studio.client import call, is_up
from annotation_backend.labeling.studio.credentials import (
    basic_auth,
    ml_backend_url,
    service_url,
    webhook_headers,
    webhook_url,
)
from annotation_backend.labeling.studio.shown_predictions import show_predictions
from annotation_backend.labeling.studio_server.accounts import close_account, open_account, sign_up
from annotation_backend.labeling.upkeep import look_around, take_up
from annotation_backend.labeling.versions.assembly import assemble, current_saves
from annotation_backend.labeling.versions.decoded_masks import decode_missing
from annotation_backend.labeling.versions.doubts import name_annotator, note_doubts
from annotation_backend.labeling.versions.losses import note_losses, open_findings
from annotation_backend.labeling.versions.versions import restore
from annotation_backend.labeling.views import ml_backend, studio, webhook
from annotation_backend.labeling.watch import backends, services, webhooks
from annotation_backend.labeling.watch.interface import SETTINGS
from annotation_backend.labeling.watch.services import look, settle
from annotation_backend.labeling.watch.tokens import ensure_tokens
from annotation_backend.registry.models import PromptKind
from annotation_backend.studies.people import role_in
from datasets.errors import RejectedInput, TryAgain
from datasets.formats.nifti import read_mask
from datasets.study.shipped_protocols import shipped_protocol
from tests.annotation_backend.support.installation import Installation, signed_in_at_label_studio
from tests.annotation_backend.support.records import (
    SHAPE,
    accounts,
    first_account,
    new_person,
    registered_case,
    the_study,
)
from tests.annotation_backend.support.segmenters import known_model
from tests.annotation_backend.support.waiting import eventually

pytestmark = [pytest.mark.label_studio, pytest.mark.django_db(transaction=True)]

START_SECONDS = 400.0


@pytest.fixture(scope="module")
def label_studio(new_installation: Callable[[], Installation], live_server: LiveServer) -> Iterator[Installation]:
    """Label Studio alone; its door asks the service of this test."""
    made = new_installation()
    ours = {
        "MASKLOOP_URL": live_server.url, "ML_BACKEND_URL": live_server.url, "MASKLOOP_SECRET_KEY": conf.SECRET_KEY
    }  # fmt: skip
    installation = replace(made, environment={**made.environment, **ours})
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
    monkeypatch.setattr(neighbours, "propagate_after_save", lambda _save: None)
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
    body = {
        "title": "Reconciled",
        "label_config": label_config(MaskFormat.BRUSH, shipped_protocol("mstt-199"), hidden=["Oedema"]),
    }
    made = call("POST", "/api/projects/", json=body)
    project = LabelingProject.objects.create(label_studio_id=made["id"], title="Reconciled", study=the_study())
    webhooks.mend(project, [])
    monkeypatch.setattr(publish, "ensure_project", lambda _study: project)
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
    assert confirm_saves(case) == 0
    decode_missing(case)
    note_losses(case)
    note_doubts(case)
    assemble(case)


def _sizes(case: Case) -> dict[int, int | None]:
    """By slice: pixels of the mask that counts, None where nothing does; and the assembled mask says the same."""
    current = current_saves(case)
    sizes = {index: save.drawn.areas.get("Tumour", 0) if save else None for index, save in current.items()}
    made = assemble(case)
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
    [doubt] = open_findings(case).filter(kind="unconfirmed")
    assert (doubt.annotation.task.slice_index, doubt.numbers["count"]) == (2, 1), "it was deleted before anybody asked"
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
    manager = first_account(Role.DATA_MANAGER)
    drawn = person.create(0, 10, way="take")
    _work(case)
    person.edit(drawn, 2, way="take")
    _work(case)
    [loss] = open_findings(case)
    whole = loss.before
    assert (loss.kind, loss.numbers["area_before"], loss.numbers["area_after"]) == ("area", 100, 4)

    made = restore(whole, person=manager).result
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
    again = restore(whole, person=manager).result
    assert again is not None
    assert again.label_studio_id != drawn
    assert call("GET", f"/api/annotations/{again.label_studio_id}/")["completed_by"] == whole.completed_by

    call("DELETE", f"/api/tasks/{_number(0)}/")
    publish.publish(case)
    last = restore(whole, person=manager).result
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
    with pytest.raises(RejectedInput, match="version-unproved"):
        restore(Annotation.objects.get(saved_at__year=2030), person=manager)

    project = LabelingProject.objects.get()
    call("DELETE", f"/api/projects/{project.label_studio_id}/")
    assert "project-gone" in take_up(project).refused[0]
    assert _sizes(case)[0] == 100


@pytest.fixture
def colleagues(case: Case, label_studio: Installation, monkeypatch: pytest.MonkeyPatch) -> dict[Role, "Colleague"]:
    """An annotator and a radiologist with accounts of their own in Label Studio."""
    User.objects.update(label_studio_id=None)
    for role in Role:
        monkeypatch.setenv(password_variable(role.value), label_studio.password(role))
        person = first_account(role)
        person.set_password(label_studio.password(role))
        person.save()
    assert ensure_people() == []
    monkeypatch.setattr(studio, "administrates", lambda _person: True)  # as in a Label Studio that has no door
    return {role: Colleague(role, label_studio) for role in (Role.ANNOTATOR, Role.RADIOLOGIST)}


class Colleague:
    """Somebody signed in to Label Studio, who asks its API as a browser does."""

    def __init__(self, role: Role, label_studio: Installation) -> None:
        self.user = first_account(role)
        self.number = self.user.label_studio_id
        self.address = label_studio.label_studio_url
        self.session = signed_in_at_label_studio(self.address, self.user.email, label_studio.password(role))

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        answer = self.session.request(method, self.address + path, timeout=60, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.content else None

    def draw(self, index: int, size: int, **claims: Any) -> int:
        body = {"result": _result(size), "lead_time": 1.0, **claims}
        return int(self("POST", f"/api/tasks/{_number(index)}/annotations/", json=body)["id"])


def _mask_of(case: Case) -> CaseMask:
    _work(case)
    made = assemble(case)
    assert made is not None
    return made


def _drew(case: Case) -> set[Role]:
    """Whom the mask that stands says drew in it."""
    mask = _mask_of(case)
    return {role_in(the_study(), user) for user in User.objects.all() if mask.is_drawn_by(user)}


def test_whichever_way_a_mask_comes_into_being_it_says_who_drew_it_or_waits_for_a_name(
    case: Case, door: Door, colleagues: dict[Role, Colleague]
) -> None:
    annotator, radiologist = colleagues[Role.ANNOTATOR], colleagues[Role.RADIOLOGIST]
    project = LabelingProject.objects.get()
    annotator.draw(0, 3)
    assert _drew(case) == {Role.ANNOTATOR}, "as the editor saves"

    claimed = radiologist.draw(1, 4, completed_by=annotator.number, updated_by=annotator.number)
    assert _drew(case) == {Role.ANNOTATOR, Role.RADIOLOGIST}, "saved in another's name"
    radiologist("DELETE", f"/api/annotations/{claimed}/")
    assert _drew(case) == {Role.ANNOTATOR}

    changed = radiologist.draw(1, 4)
    radiologist("PATCH", f"/api/annotations/{changed}/", json={"completed_by": annotator.number})
    assert _drew(case) == {Role.ANNOTATOR, Role.RADIOLOGIST}, "signed over to another"
    radiologist("PATCH", f"/api/annotations/{changed}/", json={"task": _number(2)})
    assert _drew(case) == {Role.ANNOTATOR, Role.RADIOLOGIST}, "moved to another task"
    assert (_sizes(case)[1], _sizes(case)[2]) == (None, 16)
    for _ in range(2):
        pull(project)
        _work(case)
        assert (_sizes(case)[1], _sizes(case)[2]) == (None, 16), "a number that moved does not flip"
    whole = Annotation.objects.filter(label_studio_id=changed).order_by("pk").last()
    radiologist("DELETE", f"/api/annotations/{changed}/")
    assert _drew(case) == {Role.ANNOTATOR}

    assert whole is not None
    restored = restore(whole, person=annotator.user).result
    assert _drew(case) == {Role.ANNOTATOR, Role.RADIOLOGIST, Role.ADMINISTRATOR}, "restored as a new annotation"
    assert restored is not None
    call("DELETE", f"/api/annotations/{restored.label_studio_id}/")

    before = _mask_of(case)
    last = max(_number(index) for index in range(SHAPE[2]))
    slice_of = LabelingTask.objects.get(label_studio_id=last).slice_index
    data = radiologist("GET", f"/api/tasks/{last}/")["data"]
    radiologist("DELETE", f"/api/tasks/{last}/")
    imported = [{"data": data, "annotations": [{"completed_by": annotator.number, "result": _result(9)}]}]
    path = f"/api/projects/{project.label_studio_id}/import"
    assert radiologist("POST", path, params={"return_task_ids": "true"}, json=imported)["task_ids"] == [last]
    pull(project)
    assert _mask_of(case) == before, "what was imported counts in no mask"
    assert [(row.kind, row.numbers["count"]) for row in open_findings(case) if row.kind == "author"] == [("author", 1)]
    [came] = call("GET", f"/api/tasks/{last}/")["annotations"]
    annotator("PATCH", f"/api/annotations/{came['id']}/", json={"result": _result(9)})
    assert _mask_of(case) == before, "nor when somebody saves it once more"

    predicted = radiologist("POST", "/api/predictions/", json={"task": _number(1), "result": _result(8), "score": 0.5})
    where = {"id": "predictions_to_annotations", "project": project.label_studio_id}
    body = {"selectedItems": {"all": False, "included": [_number(1)]}}
    radiologist("POST", "/api/dm/actions", params=where, json=body)
    assert predicted["id"]
    pull(project)
    assert _mask_of(case) == before, "nor what was copied from predictions"
    [finding] = [row for row in open_findings(case) if row.kind == "author"]
    assert finding.numbers["count"] == 2

    manager = first_account(Role.DATA_MANAGER)
    assert name_annotator(finding, radiologist.user, named_by=manager) == 2
    assert _drew(case) == {Role.ANNOTATOR, Role.RADIOLOGIST}, "a data manager says who it was"
    assert (_sizes(case)[1], _sizes(case)[slice_of]) == (64, 81)

    annotator.draw(slice_of, 5)
    _mask_of(case)
    assert _sizes(case)[slice_of] == 25, "drawn anew, in an annotation of its own"


def test_a_project_that_our_account_does_not_see_is_not_taken_for_deleted(
    case: Case, door: Door, colleagues: dict[Role, Colleague], label_studio: Installation
) -> None:
    annotator, project = colleagues[Role.ANNOTATOR], LabelingProject.objects.get()
    door.way = "lose"
    assert not is_gone(project)
    annotator.draw(0, 3)
    me = f"/api/users/{first_account(Role.ADMINISTRATOR).label_studio_id}/"
    annotator("PATCH", me, json={"active_organization": None})
    try:
        with pytest.raises(RejectedInput, match="label-studio-organisation"):
            is_gone(project)
        assert ["label-studio-organisation" in line for line in look_around()] == [True]
        assert take_up(project).stored == 1, "Label Studio 1.23 lists the tasks all the same"
    finally:
        Colleague(Role.ADMINISTRATOR, label_studio)  # signs in, as the remedy says
    assert look_around() == []
    project.refresh_from_db()
    assert not project.is_retired
    _work(case)
    assert _sizes(case)[0] == 9

    LabelingProject.objects.update(is_retired=True)
    annotator.draw(1, 4)
    assert ["project-back" in str(finding) for finding in bring_back()] == [True]
    project.refresh_from_db()
    assert take_up(project).stored == 1
    _work(case)
    assert _sizes(case) == {0: 9, 1: 16, 2: None, 3: None, 4: None}


def test_half_a_character_costs_its_task_only_and_the_remedies_that_are_named_work(case: Case, door: Door) -> None:
    """Label Studio answers 500 to the request that stores it, and to every list that the task is in from then on."""
    person, project = Person(door), LabelingProject.objects.get()
    kept = person.create(0, 3, way="take")
    _work(case)
    in_annotation, in_data = _number(0), _number(1)
    half = {"result": [{**_result(5)[0], "meta": {"text": ["\ud800"]}}], "lead_time": 1.0}
    door.way = "lose"
    with pytest.raises(TryAgain, match="label-studio-error"):
        call("PATCH", f"/api/annotations/{kept}/", json=half)
    data = call("GET", f"/api/tasks/{in_data}/", params={"fields": "task_only"})["data"]
    with pytest.raises(TryAgain, match="label-studio-error"):
        call("PATCH", f"/api/tasks/{in_data}/", json={"data": {**data, "title": "\ud800"}})
    person.create(2, 7, way="lose")

    named = pull(project).refused
    assert [f"task {number} (C0001 slice {index})" in line for line, number, index in zip(
        named, (in_annotation, in_data), (0, 1), strict=True
    )] == [True, True]  # fmt: skip
    _work(case)
    assert _sizes(case) == {0: 9, 1: None, 2: 49, 3: None, 4: None}

    assert publish.publish(case) == 0
    assert [f"task {in_annotation} " in line for line in pull(project).refused] == [True]
    findings: list[str] = []
    assert publish.publish(case, replace_unreadable=True, findings=findings) == 1
    assert findings == []
    assert pull(project).refused == []
    _work(case)
    assert _sizes(case) == {0: 9, 1: None, 2: 49, 3: None, 4: None}, "what was saved before stays"


def test_a_person_who_leaves_comes_in_nowhere_and_comes_back_as_the_same(
    case: Case, label_studio: Installation, settings: Any
) -> None:
    """By the session that they had, and by their password."""
    settings.DATA_FOLDER = Path(label_studio.environment["MASKLOOP_DATA"])
    there = label_studio.label_studio_url
    person, password = new_person("emil@hospital.org", Role.ANNOTATOR)
    open_account(person, password)
    assert ensure_people() == []
    person.refresh_from_db()
    session = signed_in_at_label_studio(there, person.email, password)
    number = _whoami(there, session)
    assert number == person.label_studio_id
    assert number is not None
    close_person(person)
    assert close_account(person) == []
    time.sleep(1.1)
    assert _whoami(there, session) is None
    assert _whoami(there, signed_in_at_label_studio(there, person.email, password)) is None
    person, password = create_person("emil@hospital.org")
    open_account(person, password)
    assert _whoami(there, signed_in_at_label_studio(there, person.email, password)) == number
    assert _whoami(there, session) is None


def _whoami(there: str, session: requests.Session) -> int | None:
    """Whose session it is in Label Studio; None for nobody's."""
    answer = session.get(f"{there}/api/current-user/whoami", timeout=60)
    return int(answer.json()["id"]) if answer.ok else None


@pytest.fixture
def watched(case: Case, monkeypatch: pytest.MonkeyPatch) -> LabelingProject:
    """The project as a first round leaves it, with a prediction on each task."""
    monkeypatch.setattr(services, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(ml_backend, "warm_up", lambda: None)
    known_model(kinds=(PromptKind.AUTOMATIC,))
    project = LabelingProject.objects.get()
    settle(project)
    tasks = list(LabelingTask.objects.select_related("project"))
    show_predictions(tasks, [_prediction(task, 4) for task in tasks])
    StudioChange.objects.all().delete()
    assert settle(project) == []
    return project


def _prediction(task: LabelingTask, size: int) -> dict[str, Any]:
    return {"task": task.label_studio_id, "result": _result(size), "model_version": "m-1", "score": 0.5}


def test_label_studio_may_send_to_our_listener_and_to_no_other_address_of_this_machine(
    watched: LabelingProject, label_studio: Installation
) -> None:
    number, port = watched.label_studio_id, urlsplit(service_url()).port
    inner = ("127.0.0.1", "localhost", "127.0.0.3", "0.0.0.0", "[::1]", "169.254.169.254", "10.0.0.1", "2130706433")
    for host in inner:
        for path, body in (("/api/webhooks/", {}), ("/api/ml", backends.body(watched))):
            asked = {**body, "url": f"http://{host}:{port}/ml", "project": number}
            address, headers = label_studio.label_studio_url + path, {"Authorization": f"Token {label_studio.token}"}
            answer = requests.post(address, json=asked, headers=headers, timeout=30)
            assert answer.status_code in (400, 403, 500), f"{path} on {host} got {answer.status_code}"
    [backend] = call("GET", "/api/ml", params={"project": number})
    assert (backend["url"], backend["state"]) == (ml_backend_url(), "CO")
    [webhook] = call("GET", "/api/webhooks/", params={"project": number})
    assert webhook["url"] == webhook_url()


def test_what_is_changed_in_the_real_label_studio_is_named_and_mended(
    watched: LabelingProject, door: Door, label_studio: Installation
) -> None:
    project, task = watched.label_studio_id, _number(1)
    address = f"/api/projects/{project}/"
    before, data = call("GET", address), call("GET", f"/api/tasks/{task}/")["data"]
    evil = before["label_config"].replace("<View>", "<View><Markdown><![CDATA[<b>x</b>]]></Markdown>", 1)
    call("PATCH", address, json={"label_config": evil, "maximum_annotations": 3, "show_collab_predictions": False})
    call("PATCH", f"/api/tasks/{task}/", json={"data": {**data, "annotated": data["companion"], "state": "approved"}})
    foreign = f"http://{LISTENER_FOR_LABEL_STUDIO}:9/copy"
    call("POST", "/api/webhooks/", json={"url": foreign, "project": project})
    [shown] = call("GET", "/api/predictions/", params={"task": _number(2)})
    call("PATCH", f"/api/predictions/{shown['id']}/", json={"result": _result(9)})
    call("POST", "/api/predictions/", json=_prediction(LabelingTask.objects.get(slice_index=3), 9))
    Person(door).create(1, 4, way="take")
    _names_a_control_of_an_own_name(_number(4))
    pull(watched)
    told = " ".join(settle(watched, is_full=False))
    wanted = {Subject.INTERFACE, Subject.SETTING, Subject.WEBHOOK, Subject.PICTURE, Subject.STATE, Subject.PREDICTION}
    assert {row.subject for row in StudioChange.objects.all()} == wanted
    assert "another webhook beside ours" in told
    after = call("GET", address)
    assert {name: after[name] for name in SETTINGS} == {name: before[name] for name in SETTINGS}
    shown, _, hidden = after["label_config"].partition('<View style="display: none">')
    assert before["label_config"].startswith(shown.rstrip())
    assert 'PolygonLabels name="own"' in hidden
    assert call("GET", f"/api/tasks/{task}/")["data"]["annotated"] == data["annotated"]
    assert all(one["result"] == [] for one in call("GET", "/api/predictions/", params={"task": _number(3)}))
    assert AnnotationFinding.objects.filter(kind="shown", annotation__task__slice_index=1).exists()
    assert look(watched) == []


def _names_a_control_of_an_own_name(task: int) -> None:
    """A save by the API that keeps Label Studio from taking any interface without that control."""
    size = {"original_width": 9, "original_height": 9, "image_rotation": 0}
    points = {"points": [[1, 1], [2, 2], [3, 1]], "polygonlabels": ["x"]}
    region = {"id": "p", "type": "polygonlabels", "from_name": "own", "to_name": "image", "value": points, **size}
    call("POST", f"/api/tasks/{task}/annotations/", json={"result": [region]})


def test_a_backend_that_is_pointed_elsewhere_learns_a_password_that_opens_nothing_any_more(
    watched: LabelingProject, live_server: LiveServer
) -> None:
    seen: list[str] = []
    with _listening(seen) as elsewhere:
        number = call("GET", "/api/ml", params={"project": watched.label_studio_id})[0]["id"]
        call("PATCH", f"/api/ml/{number}", json={"url": elsewhere, "project": watched.label_studio_id})
        assert basic_auth() in seen
        told = settle(watched)
        assert "ours at another address" in " ".join(told)
    stolen = {"Authorization": seen[0]}
    assert requests.get(f"{ml_backend_url()}/versions", headers=stolen, timeout=10).status_code == 401
    sent = requests.post(webhook_url(), headers=stolen, json={"action": "START_TRAINING"}, timeout=10)
    assert sent.status_code == 401
    [backend] = call("GET", "/api/ml", params={"project": watched.label_studio_id})
    assert (backend["url"], backend["state"]) == (ml_backend_url(), "CO"), "Label Studio has the new password"
    assert len(call("GET", "/api/webhooks/", params={"project": watched.label_studio_id})) == 1


@contextmanager
def _listening(seen: list[str]) -> Iterator[str]:
    """Somebody's own ML backend, where Label Studio may send to; it keeps the passwords that come."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append(str(self.headers.get("Authorization")))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"status": "UP", "model_version": "evil"}')

        do_GET = do_POST = _answer  # noqa: N815 (the names http.server calls)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer((LISTENER_FOR_LABEL_STUDIO, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LISTENER_FOR_LABEL_STUDIO}:{server.server_port}/ml"
    finally:
        server.shutdown()
        server.server_close()


def test_legacy_tokens_that_were_switched_off_are_switched_on_and_that_is_said(
    watched: LabelingProject, label_studio: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMINISTRATOR_PASSWORD", label_studio.password(Role.ADMINISTRATOR))
    off = {"legacy_api_tokens_enabled": False, "api_tokens_enabled": True}
    call("POST", "/api/jwt/settings", json=off)
    with pytest.raises(RejectedInput, match="switched legacy API tokens off") as refused:
        call("GET", "/api/current-user/whoami")
    assert "pull_annotations" in refused.value.remedy
    assert "switched" in ensure_tokens()[0]
    assert call("GET", "/api/current-user/whoami")["email"]
    assert StudioChange.objects.get().subject == Subject.TOKENS
    assert ensure_tokens() == []


def test_an_address_that_somebody_made_an_account_for_is_taken_over(
    watched: LabelingProject, label_studio: Installation, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_FOLDER = label_studio.folder / "data"
    monkeypatch.setenv("ADMINISTRATOR_PASSWORD", label_studio.password(Role.ADMINISTRATOR))
    call("POST", "/api/users/", json={"email": "future@colleague.org", "username": "future"})
    person, password = new_person("future@colleague.org", Role.ANNOTATOR)
    sign_up(person, "a-password-of-theirs")
    assert "future@colleague.org" in [user["email"] for user in call("GET", "/api/users/")]
    assert ensure_people() == []
    person.refresh_from_db()
    session = signed_in_at_label_studio(label_studio.label_studio_url, "future@colleague.org", password)
    assert _whoami(label_studio.label_studio_url, session) == person.label_studio_id

"""Any answer of Label Studio is taken or named, costs its own row, and ends no round of the reconciler."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling import upkeep
from annotation_backend.labeling.interface.editor import bring_interface_up_to_date, change_settings
from annotation_backend.labeling.interface.project_settings import ProjectSettings
from annotation_backend.labeling.models import Annotation, LabelingProject, LabelingTask, SettingsChange
from annotation_backend.labeling.project.people import ensure_people
from annotation_backend.labeling.project.project import ensure_project
from annotation_backend.labeling.project.publish import publish, renew_addresses
from annotation_backend.labeling.project.tabs import ensure_tabs
from annotation_backend.labeling.project.task_states import mirror_states
from annotation_backend.labeling.saves.confirm import confirm_saves
from annotation_backend.labeling.saves.reconcile import PullReport, pull
from annotation_backend.labeling.saves.store import receive
from annotation_backend.labeling.studio import client
from annotation_backend.labeling.studio.shown_predictions import show_predictions
from annotation_backend.labeling.studio.task_lists import Unreadable, found_among
from annotation_backend.labeling.versions.versions import restore
from datasets.errors import MaskloopError, ProgramFault, TryAgain
from datasets.image.mask import OEDEMA
from tests.annotation_backend.support.bad_label_studio import (
    FAULTS,
    SHAPES,
    BadLabelStudio,
    Handler,
    answering,
    bad_label_studio,
)
from tests.annotation_backend.support.label_studio_double import answer_with
from tests.annotation_backend.support.records import accounts, published, registered_case, save_body, the_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def studio(settings) -> Iterator[BadLabelStudio]:
    with bad_label_studio(answering([])) as server:
        settings.LABEL_STUDIO_URL = server.url
        yield server


@pytest.mark.parametrize("name", FAULTS)
def test_each_bad_answer_is_named_and_says_what_to_do(studio: BadLabelStudio, name: str) -> None:
    studio.fault, code = FAULTS[name]
    with pytest.raises(MaskloopError) as refused:
        client.call("GET", "/api/users/")
    assert refused.value.code == code
    assert refused.value.remedy


@pytest.mark.parametrize("name", [*FAULTS, *SHAPES])
def test_the_reconciler_goes_on_after_each_bad_answer(studio: BadLabelStudio, name: str, monkeypatch) -> None:
    published(registered_case())
    accounts()
    studio.fault = FAULTS[name][0] if name in FAULTS else answering(SHAPES[name])
    told: list[str] = []
    rounds = iter([False, True])
    monkeypatch.setattr(upkeep, "LOOK_SECONDS", 0.1)
    upkeep.keep_up(0.1, tell=told.append, is_over=lambda: next(rounds))
    assert len(told) == (2 if name in FAULTS else 4), (
        "two rounds: a line where nothing is read, else one for people too"
    )
    assert all("label-studio-" in line and "[fault]" not in line for line in told), told


def test_a_fault_of_ours_in_a_round_is_said_and_the_next_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = iter([False, True])
    told: list[str] = []

    def broken(**_options: Any) -> None:
        raise KeyError("private words")

    monkeypatch.setattr(upkeep, "one_round", broken)
    upkeep.keep_up(0, tell=told.append, is_over=lambda: next(rounds))
    assert len(told) == 2
    assert "KeyError" in told[0]
    assert "private" not in told[0]


def test_one_project_that_fails_keeps_no_other_from_being_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, told = [], []

    def take_up(project: LabelingProject, *, is_full: bool) -> PullReport:
        if project.label_studio_id != 2:
            raise TryAgain("label-studio-error", f"Failed at {project.label_studio_id}.", remedy="Run it again.")
        taken.append(project.label_studio_id)
        return PullReport(stored=3)

    for number in (1, 2, 3):
        LabelingProject.objects.create(label_studio_id=number, title=f"Project {number}", study=the_study())
    monkeypatch.setattr(upkeep, "ensure_tokens", list)
    monkeypatch.setattr(upkeep, "take_up", take_up)
    monkeypatch.setattr(upkeep, "look_over", lambda _project, is_full: [])
    with pytest.raises(TryAgain, match="Failed at 1"):
        upkeep.one_round(is_full=False, tell=told.append)
    assert taken == [2]
    assert told[0].startswith("3 saves")
    assert "Failed at 3" in told[1]


def test_an_answer_that_drips_in_is_cut_off_and_a_page_waits_no_longer(studio: BadLabelStudio) -> None:
    def drip(handler: Handler) -> None:
        handler.send(200, b"[", length=1000)
        for _ in range(900):
            handler.wfile.write(b" ")
            time.sleep(0.02)

    studio.fault = drip
    with client.answers_within(1.0), pytest.raises(TryAgain, match="label-studio-down"):
        client.call("GET", "/api/users/")
    with client.answers_within(0.0), pytest.raises(TryAgain, match="label-studio-down"):
        client.call("GET", "/api/users/")


def test_an_address_that_is_none_is_named(settings) -> None:
    for address in ("nonsense", "ftp://127.0.0.1", "http://"):
        settings.LABEL_STUDIO_URL = address
        with pytest.raises(MaskloopError, match="label-studio-address"):
            client.call("GET", "/api/users/")


def test_no_request_is_made_inside_a_transaction(studio: BadLabelStudio) -> None:
    with transaction.atomic(), pytest.raises(ProgramFault, match="http-in-transaction"):
        client.call("GET", "/api/users/")
    assert client.call("GET", "/api/users/") == []


FIELDS = (
    *("id", "tasks", "total", "results", "annotations", "data", "email", "url", "task_ids", "result", "task"),
    *("updated_at", "created_at", "project", "created_annotations", "created_labels", "created_labels_drafts"),
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(answer=JSON)
@example(answer={"tasks": [{"id": 103, "data": {}, "annotations": [{"id": 1}]}], "total": 1, "results": [{"id": 1}]})
@example(answer={"tasks": [{"id": 103, "updated_at": "2026-13-45T00:00:00"}], "total": 1})
@example(answer={"id": 1, "task_ids": [1], "data": {"case": "C0001", "slice": 2}, "tasks": [], "total": 0})
def test_no_shape_of_an_answer_breaks_anything(world: Case, answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, lambda *_words, **_options: answer)
    known = LabelingProject.objects.get()
    tasks = list(LabelingTask.objects.select_related("project"))
    people = User.objects.first()
    acts: list[Callable[[], object]] = [
        ensure_people,
        lambda: ensure_project(known.study),
        lambda: pull(known),
        lambda: upkeep.take_up(known),
        lambda: confirm_saves(world),
        lambda: ensure_tabs(known, anew=True),
        lambda: bring_interface_up_to_date(known),
        lambda: show_predictions(tasks, [{"task": task.label_studio_id, "result": []} for task in tasks]),
        lambda: mirror_states(world),
        lambda: publish(world),
        lambda: renew_addresses(world),
        lambda: restore(Annotation.objects.first(), person=people),
    ]
    for act in acts:
        mark = transaction.savepoint()
        with suppress(MaskloopError):
            act()
        transaction.savepoint_rollback(mark)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Case:
    """A case with a save that nobody confirmed yet."""
    case = registered_case()
    accounts()
    monkeypatch.setattr("annotation_backend.labeling.predictions.neighbours.propagate_after_save", lambda _save: None)
    monkeypatch.setattr("annotation_backend.labeling.project.people.sign_up", lambda *_words: None)
    tasks = published(case)
    receive({"action": "ANNOTATION_CREATED", "annotation": save_body(tasks[2]), "project": {"id": 1}})
    return case


class Lists:
    """A Label Studio that fails at each list which a poisoned task is in; in `dead`, at every request."""

    def __init__(self, tasks: dict[int, dict[str, Any]], poisoned: set[int]) -> None:
        self.tasks, self.poisoned, self.dead = tasks, poisoned, False
        self.asked = 0

    def call(self, method: str, path: str, *, params: dict[str, Any], **_options: Any) -> Any:
        import json

        self.asked += 1
        numbers = sorted(self.tasks)
        if "query" in params:
            [condition] = json.loads(params["query"])["filters"]["items"]
            if condition["filter"] == "filter:tasks:id":
                low, high = condition["value"]["min"], condition["value"]["max"]
                numbers = [number for number in numbers if low <= number <= high]
        first = (params["page"] - 1) * params["page_size"]
        shown = numbers[first : first + params["page_size"]]
        if self.dead or self.poisoned & set(shown):
            raise TryAgain("label-studio-error", "Label Studio failed with status 500.", remedy="Run it again.")
        return {"tasks": [self.tasks[number] for number in shown], "total": len(numbers)}


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    numbers=st.sets(st.integers(1, 500), min_size=1, max_size=60),
    poisoned=st.sets(st.integers(1, 500), max_size=8),
)
def test_every_task_is_read_but_the_poisoned_ones_which_are_named(
    numbers: set[int], poisoned: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = Lists({number: {"id": number} for number in numbers}, poisoned)
    answer_with(monkeypatch, lists.call)
    row = LabelingProject(label_studio_id=1)
    found = list(found_among(row, list(numbers), fields="all"))
    named = {one.label_studio_id for one in found if isinstance(one, Unreadable)}
    assert named == poisoned & numbers
    assert sorted(one["id"] for one in found if not isinstance(one, Unreadable)) == sorted(numbers - poisoned)
    lists.dead = True
    with pytest.raises(TryAgain, match="label-studio-error"):
        list(found_among(row, list(numbers), fields="all"))


def test_a_poisoned_task_is_named_with_its_number_and_the_saves_of_the_others_are_taken_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = registered_case()
    accounts()
    tasks = published(case)
    rows = {
        task.label_studio_id: {
            "id": task.label_studio_id,
            "data": {"case": "C0001", "slice": task.slice_index},
            "annotations": [{**save_body(task), "id": 900 + task.slice_index}],
        }
        for task in tasks
    }
    answer_with(monkeypatch, Lists(rows, {tasks[1].label_studio_id}).call)
    report = pull(LabelingProject.objects.get())
    assert report.stored == len(tasks) - 1
    [line] = report.refused
    assert f"task {tasks[1].label_studio_id} (C0001 slice 1)" in line
    assert "publish_tasks --case C0001" in line
    assert "[task-unreadable]" in line


def test_one_task_of_another_shape_costs_itself_only(monkeypatch: pytest.MonkeyPatch) -> None:
    case = registered_case()
    accounts()
    tasks = published(case)
    rows: dict[int, dict[str, Any]] = {
        task.label_studio_id: {"id": task.label_studio_id, "annotations": [save_body(task)]} for task in tasks
    }
    rows[tasks[0].label_studio_id]["annotations"] = {"id": 3}
    rows[tasks[1].label_studio_id]["annotations"] = [None]
    for index in (2, 3, 4):
        rows[tasks[index].label_studio_id]["annotations"][0]["id"] = 900 + index
    answer_with(monkeypatch, Lists(rows, set()).call)
    report = pull(LabelingProject.objects.get())
    assert report.stored == 3
    assert [f"Task {task.label_studio_id}: " in line for task, line in zip(tasks, report.refused, strict=False)] == [
        True,
        True,
    ]


def test_settings_are_kept_after_label_studio_took_them_and_a_repeat_mends(monkeypatch: pytest.MonkeyPatch) -> None:
    published(registered_case())
    row = LabelingProject.objects.get()
    wanted = ProjectSettings(labels={OEDEMA: True})
    changed: list[str] = []
    summary: dict[str, Any] = {"created_annotations": {}, "created_labels": {}, "created_labels_drafts": {}}

    def call(method: str, path: str, **options: Any) -> Any:
        client.require_no_transaction()
        if method == "PATCH":
            changed.append(options["json"]["label_config"])
        return summary if path.endswith("summary/") else {"label_config": changed[-1] if changed else ""}

    answer_with(monkeypatch, call)

    def locked(*_words: object, **_options: object) -> None:
        raise TryAgain("database-busy", "It is busy.", remedy="Wait.")

    with monkeypatch.context() as patched:
        patched.setattr("annotation_backend.labeling.interface.editor.keep_settings", locked)
        with pytest.raises(TryAgain):
            change_settings(row, wanted, person=None)
    assert not SettingsChange.objects.exists()
    assert change_settings(row, wanted, person=None)
    assert SettingsChange.objects.get().labels == {OEDEMA: True}
    assert not change_settings(row, wanted, person=None)

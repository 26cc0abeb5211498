"""Whatever happens to webhooks on their way, after a reconciliation the state is the same.

Histories of work in Label Studio (saves, edits, skips, deletions, tasks deleted and published again, projects and
whole installations made anew) are delivered once as they are and once with losses, doubles and delays. A model of its
final state stands in for Label Studio; `test_reconcile_real` asks the real one.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from annotation_backend.cases.models import Case
from annotation_backend.labeling import upkeep
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import (
    Annotation,
    DeletionAsked,
    FindingKind,
    LabelingProject,
    LabelingTask,
    ReceivedBy,
    TaskState,
)
from annotation_backend.labeling.project import deleted_project
from annotation_backend.labeling.project.publish import keep_tasks
from annotation_backend.labeling.saves import confirm
from annotation_backend.labeling.saves.confirm import confirm_saves
from annotation_backend.labeling.saves.reconcile import pull
from annotation_backend.labeling.saves.store import receive
from annotation_backend.labeling.versions.assembly import assemble, current_saves
from annotation_backend.labeling.versions.decoded_masks import decode_missing, stored_masks
from annotation_backend.labeling.versions.doubts import note_doubts, unexplained
from annotation_backend.labeling.versions.losses import note_losses, open_findings
from datasets.errors import RejectedInput, TryAgain
from tests.annotation_backend.support.label_studio_double import answer_with
from tests.annotation_backend.support.records import SHAPE, accounts, registered_case, the_study

pytestmark = pytest.mark.django_db

SLICES = 3
START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def newest_drawn(task: dict[str, Any]) -> dict[str, Any] | None:
    """The save of a task that counts."""
    drawn = [save for save in task["annotations"] if not save["was_cancelled"]]
    return max(drawn, key=lambda save: save["updated_at"], default=None)


class LabelStudio:
    """What Label Studio holds: task numbers are given again, annotation numbers only by an installation made anew."""

    def __init__(self) -> None:
        self.project = 1
        self.organisation: int | None = 1
        self.seconds = 0
        self.tasks: dict[int, dict[str, Any]] = {}
        self.next_annotation = 1
        self.buried: dict[int, dict[str, Any]] = {}

    def now(self) -> str:
        self.seconds += 1
        return (START + timedelta(seconds=self.seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def publish(self, index: int) -> int:
        number = max(self.tasks, default=0) + 1
        now = self.now()
        data = {"case": "C0001", "slice": index}
        self.tasks[number] = {
            "id": number,
            "data": data,
            "created_at": now,
            "updated_at": now,
            "annotations": [],
        }
        return number

    def task_of(self, index: int) -> dict[str, Any]:
        return next(task for task in self.tasks.values() if task["data"]["slice"] == index)

    def bury(self, index: int) -> None:
        """Deletes a task; what was drawn in it last stays true."""
        task = self.task_of(index)
        del self.tasks[task["id"]]
        if drawn := newest_drawn(task):
            self.buried[index] = drawn

    def save(self, index: int, *, again: bool, skips: bool) -> dict[str, Any]:
        task, moment = self.task_of(index), self.now()
        region = region_of(_mask(self.seconds), region_id="a", score=None)
        if again and task["annotations"]:
            save = task["annotations"][-1]
        else:
            save = {"id": self.next_annotation, "task": task["id"], "project": self.project, "completed_by": 4}
            self.next_annotation += 1
            task["annotations"].append(save)
        save |= {"result": [] if skips else [region], "was_cancelled": skips, "updated_at": moment, "updated_by": 4}
        task["updated_at"] = moment
        along = {key: task[key] for key in ("id", "data")}
        action = "ANNOTATION_UPDATED" if again else "ANNOTATION_CREATED"
        return {"action": action, "annotation": dict(save), "task": along, "project": {"id": self.project}}

    def delete(self, index: int) -> dict[str, Any] | None:
        task = self.task_of(index)
        if not task["annotations"]:
            return None
        gone, task["updated_at"] = task["annotations"].pop(), self.now()
        return {
            "action": "ANNOTATIONS_DELETED",
            "annotations": [{"id": gone["id"]}],
            "project": {"id": self.project},
        }

    def call(self, method: str, path: str, *, params: dict[str, Any] | None = None) -> Any:
        """Answers the requests of reconciliation and confirmation."""
        assert method == "GET"
        words = path.strip("/").split("/")
        if path == "/api/tasks/":
            return self._listed(params or {})
        if path == "/api/current-user/whoami":
            return {"id": 1, "active_organization": self.organisation}
        if words[1] == "annotations":
            saves = [save for task in self.tasks.values() for save in task["annotations"]]
            found = next((save for save in saves if save["id"] == int(words[2])), None)
        else:
            found = self.tasks.get(int(words[2])) if words[1] == "tasks" else self._project(int(words[2]))
        if found is None or (words[1] != "annotations" and self.organisation != 1):
            raise _missing()
        return json.loads(json.dumps(found))

    def _project(self, number: int) -> dict[str, Any] | None:
        made_at = f"2026-11-21T09:00:{self.project:02}.000001Z"
        return {"id": number, "organization": 1, "created_at": made_at} if number == self.project else None

    def _listed(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["project"] != self.project or self.organisation != 1:
            raise _missing()
        tasks = [self.tasks[number] for number in sorted(self.tasks)]
        if "query" in params:
            [condition] = json.loads(params["query"])["filters"]["items"]
            tasks = [task for task in tasks if task["updated_at"] > condition["value"]]
        first = (params["page"] - 1) * params["page_size"]
        found = tasks[first : first + params["page_size"]]
        return {"tasks": json.loads(json.dumps(found)), "total": len(tasks)}


def _missing() -> RejectedInput:
    return RejectedInput("label-studio-missing", "It is not there.", remedy="None.")


def _mask(seed: int) -> np.ndarray:
    mask = np.zeros((SHAPE[1], SHAPE[0]), dtype=bool)
    mask[2 : 3 + seed % 15, 2 : 3 + seed % 19] = True
    return mask


class World:
    """Our service beside that Label Studio, and what becomes of the webhooks between them."""

    def __init__(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        self.case, self.server = case, LabelStudio()
        self.late: list[tuple[int, dict[str, Any]]] = []
        self.step = 0
        answer_with(monkeypatch, self.server.call)
        monkeypatch.setattr(upkeep, "is_up", lambda: True)
        self._publish(range(SLICES))

    def happen(self, what: str, index: int, way: str, delay: int) -> None:
        """One thing happens in Label Studio, and its webhook takes its way."""
        self.step += 1
        body = self._do(what, index)
        if body is not None:
            if way in ("now", "twice"):
                self.deliver(body)
            if way in ("late", "twice"):
                self.late.append((self.step + delay, body))
        due = [late for when, late in self.late if when <= self.step]
        self.late = [(when, late) for when, late in self.late if when > self.step]
        for late in due:
            self.deliver(late)

    def _do(self, what: str, index: int) -> dict[str, Any] | None:
        if what in ("create", "edit", "skip"):
            return self.server.save(index, again=what == "edit", skips=what == "skip")
        if what == "delete":
            return self.server.delete(index)
        self.reconcile()  # what is deleted before anybody asked for it cannot come back
        if what == "publish again":
            self.server.bury(index)
            self._publish([index])
        elif what == "swap":  # two tasks are deleted, and each is given the other's number
            one, other = index, (index + 1) % SLICES
            for gone in (one, other):
                self.server.bury(gone)
            self._publish([other, one])
        else:
            self._make_anew(project=1 if what == "install anew" else self.server.project + 1)
        return None

    def _make_anew(self, *, project: int) -> None:
        """The project is deleted; with the same number again, the whole installation is."""
        for index in range(SLICES):
            self.server.bury(index)
        if project == 1:
            self.server.next_annotation = 1
        self.server.project = project
        LabelingProject.objects.update(is_retired=True)
        self._publish(range(SLICES))

    def _publish(self, indices: Any) -> None:
        project, _ = LabelingProject.objects.get_or_create(
            study=the_study(), label_studio_id=self.server.project, is_retired=False, defaults={"title": "Test"}
        )
        keep_tasks(project, self.case, {index: self.server.publish(index) for index in indices})

    def deliver(self, body: dict[str, Any]) -> None:
        try:
            receive(json.loads(json.dumps(body)))
        except RejectedInput as error:
            if error.code not in ("task-unknown", "project-unknown"):  # of a project that was made anew meanwhile
                raise

    def reconcile(self, *, is_full: bool = True) -> None:
        for project in LabelingProject.objects.filter(is_retired=False):
            pull(project, is_full=is_full)
        self.work()

    def work(self) -> None:
        """What the case's job does, mirrored states aside."""
        assert confirm_saves(self.case) == 0
        decode_missing(self.case)
        note_losses(self.case)
        note_doubts(self.case)
        assemble(self.case)

    def end(self) -> dict[str, Any]:
        """Everything late comes, Label Studio is asked once more, and this is what stands."""
        for _, body in self.late:
            self.deliver(body)
        self.reconcile()
        self.reconcile(is_full=False)
        mask = assemble(self.case)
        current = current_saves(self.case)
        return {
            "current": {index: _said(save) for index, save in current.items()},
            "states": dict(LabelingTask.objects.values_list("slice_index", "state")),
            "mask": mask.sha256 if mask and any(current.values()) else None,
        }


def _said(save: Annotation | None) -> tuple[object, ...] | None:
    if save is None:
        return None
    return save.content_sha256, save.label_studio_id, save.completed_by, save.updated_by, stored_masks(save).areas


def _versions() -> set[tuple[object, ...]]:
    """All that is kept, also what Label Studio could not confirm any more: it counts nowhere, but it is here."""
    rows = Annotation.objects.all()
    return set(rows.values_list("task__slice_index", "label_studio_id", "content_sha256", "was_cancelled"))


def _require_truth(server: LabelStudio) -> None:
    """What Label Studio has of a slice, or had when its task was deleted, counts here, and the state says so."""
    for index in range(SLICES):
        record = LabelingTask.objects.get(slice_index=index)
        current = Annotation.objects.current(record)
        true = newest_drawn(server.task_of(index)) or server.buried.get(index)
        assert (current and current.raw["result"]) == (true and true["result"])
        assert (current and current.label_studio_id) == (true and true["id"])
        assert record.state == (TaskState.ANNOTATED if true else TaskState.PENDING)


def _require_nobody_is_silent(case: Case) -> None:
    """What could not be confirmed is one finding, or explained by a later save of the same people that was."""
    found = [row for row in open_findings(case) if row.kind == FindingKind.UNCONFIRMED]
    doubted = unexplained(case)
    assert [row.numbers["count"] for row in found] == ([len(doubted)] if doubted else [])
    for row in Annotation.objects.all().evidence():
        later = (
            Annotation.objects.all().confirmed().filter(label_studio_id=row.label_studio_id, saved_at__gt=row.saved_at)
        )
        assert row in doubted or later.exists()


def _in_a_fresh_world(act: Callable[[], Any]) -> Any:
    """Runs `act` on the records as they are and puts them back."""
    mark = transaction.savepoint()
    try:
        return act()
    finally:
        transaction.savepoint_rollback(mark)


HAPPENINGS = ["create", "edit", "edit", "skip", "delete", "publish again", "swap", "project anew", "install anew"]
WAYS = ["now", "lost", "twice", "late"]
EVENTS = st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, SLICES - 1), st.sampled_from(WAYS), st.integers(1, 6))


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    accounts()
    monkeypatch.setattr(confirm, "PATIENCE", timedelta(0))
    monkeypatch.setattr("annotation_backend.labeling.predictions.neighbours.propagate_after_save", lambda _save: None)
    return registered_case()


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(history=st.lists(EVENTS, min_size=1, max_size=12))
@example(history=[("create", 0, "late", 4), ("edit", 0, "now", 1), ("publish again", 0, "now", 1)])
@example(history=[("create", 1, "late", 4), ("edit", 1, "now", 1), ("swap", 1, "now", 1)])
@example(history=[("create", 0, "lost", 1), ("delete", 0, "lost", 1)])
@example(history=[("create", 0, "late", 2), ("edit", 0, "now", 1), ("delete", 0, "now", 1)])
@example(history=[("create", 0, "late", 3), ("publish again", 0, "now", 1), ("create", 0, "lost", 1)])
@example(history=[("create", 2, "late", 2), ("publish again", 2, "now", 1), ("create", 1, "now", 1)])
@example(
    history=[("create", 0, "late", 2), ("delete", 0, "late", 2), ("install anew", 0, "now", 1), ("create", 0, "now", 1)]
)
@example(
    history=[
        ("create", 0, "twice", 3),
        ("delete", 0, "now", 1),
        ("install anew", 0, "now", 1),
        ("edit", 2, "lost", 1),
        ("create", 1, "now", 1),
    ]
)
def test_the_state_after_a_reconciliation_is_that_of_an_undisturbed_delivery(
    case: Case, monkeypatch: pytest.MonkeyPatch, history: list[tuple[str, int, str, int]]
) -> None:
    def run(*, disturbed: bool) -> tuple[dict[str, Any], set[tuple[object, ...]], set[tuple[str, str]], int]:
        world = World(case, monkeypatch)
        for what, index, way, delay in history:
            world.happen(what, index, way if disturbed else "now", delay)
            if not disturbed:
                world.work()
        state = world.end()
        _require_truth(world.server)
        findings = {(finding.kind, finding.annotation.content_sha256) for finding in open_findings(case)}
        _require_nobody_is_silent(case)
        return state, _versions(), findings, Annotation.objects.all().evidence().count()

    expected, all_versions, expected_findings, evidence = _in_a_fresh_world(lambda: run(disturbed=False))
    assert evidence == 0, "what comes at once and is asked about is confirmed"
    found, versions, findings, evidence = _in_a_fresh_world(lambda: run(disturbed=True))
    assert found == expected
    lost = any(way == "lost" for _, _, way, _ in history)
    anew = any(what in ("project anew", "install anew") for what, _, _, _ in history)
    assert {version[2] for version in versions} <= {version[2] for version in all_versions}
    if not lost and not anew:  # what Label Studio overwrote or deleted with a project does not come back
        assert versions == all_versions
    if not lost and not anew and not evidence:
        assert findings == expected_findings


@pytest.fixture
def world(case: Case, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(case, monkeypatch)


def _forge(world: World, **changes: Any) -> dict[str, Any]:
    true = world.server.save(0, again=False, skips=False)
    body = json.loads(json.dumps(true))
    body["annotation"] |= changes
    return body


LATER = "2026-11-22T10:00:00.000001Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"result": []},
        {"updated_by": 1},
        {"updated_at": LATER},
        {"updated_at": LATER, "result": [], "id": 999},
    ],
)
def test_a_forged_save_never_counts_and_a_person_sees_it(world: World, changes: dict[str, Any]) -> None:
    world.deliver(_forge(world, **changes))
    world.work()
    [finding] = [row for row in open_findings(world.case) if row.kind == "unconfirmed"]
    assert finding.annotation.received_by == ReceivedBy.WEBHOOK
    assert finding.annotation not in current_saves(world.case).values()
    world.reconcile()
    save = current_saves(world.case)[0]
    assert save is not None
    assert save.received_by == ReceivedBy.PULL


def test_a_forged_deletion_has_no_effect(world: World) -> None:
    world.deliver(world.server.save(0, again=False, skips=False))
    world.work()
    LabelingTask.objects.filter(slice_index=0).update(state=TaskState.RETURNED, review_comment="Lower border.")
    world.deliver({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}], "project": {"id": 1}})
    for _ in range(2):
        assert current_saves(world.case)[0] is not None
        record = LabelingTask.objects.get(slice_index=0)
        assert (record.state, record.review_comment) == (TaskState.RETURNED, "Lower border.")
        world.work()
    assert not DeletionAsked.objects.exists()


def test_a_denial_right_after_the_webhook_is_not_final(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "PATIENCE", timedelta(seconds=10))
    body = world.server.save(0, again=False, skips=False)
    kept, world.server.tasks[1]["annotations"] = world.server.tasks[1]["annotations"], []
    world.deliver(body)
    assert confirm_saves(world.case) == 1
    world.server.tasks[1]["annotations"] = kept
    assert confirm_saves(world.case) == 0
    assert not open_findings(world.case).exists()


def test_what_is_not_confirmed_yet_is_in_no_mask_of_the_job(world: World) -> None:
    world.deliver(world.server.save(0, again=False, skips=False))
    assert assemble(world.case) is None
    world.work()
    before = assemble(world.case)
    world.deliver(world.server.save(0, again=True, skips=False))
    assert assemble(world.case) == before
    world.work()
    assert assemble(world.case) != before


def test_a_late_save_does_not_end_an_approval(world: World) -> None:
    first = world.server.save(0, again=False, skips=False)
    world.deliver(world.server.save(0, again=True, skips=False))
    world.work()
    LabelingTask.objects.update(state=TaskState.APPROVED)
    world.deliver(first)
    world.deliver(first)
    assert LabelingTask.objects.get(slice_index=0).state == TaskState.APPROVED


def test_a_project_that_label_studio_deleted_is_retired(world: World) -> None:
    project = LabelingProject.objects.get()
    assert not deleted_project.is_gone(project)
    world.server.project = 2
    report = upkeep.take_up(project)
    project.refresh_from_db()
    assert project.is_retired
    assert "project-gone" in report.refused[0]
    assert deleted_project.bring_back() == []


@pytest.mark.parametrize("seen", [None, 2])
def test_a_project_of_an_organisation_that_our_account_does_not_see_is_not_retired(
    world: World, monkeypatch: pytest.MonkeyPatch, seen: int | None
) -> None:
    project = LabelingProject.objects.get()
    assert not deleted_project.is_gone(project)
    world.server.organisation = seen
    for ask in (upkeep.take_up, deleted_project.is_gone):
        with pytest.raises(RejectedInput, match="label-studio-organisation") as refused:
            ask(project)
        assert "Sign in to Label Studio as the administrator" in refused.value.remedy
    monkeypatch.setattr(upkeep, "ensure_people", lambda: [])
    assert ["label-studio-organisation" in line for line in upkeep.look_around()] == [True]
    world.server.organisation = 1
    world.server.save(0, again=False, skips=False)
    assert upkeep.take_up(project).stored == 1
    assert not LabelingProject.objects.get().is_retired


def test_a_project_that_was_taken_for_deleted_comes_back_with_what_was_saved_in_it(world: World) -> None:
    project = LabelingProject.objects.get()
    assert not deleted_project.is_gone(project)
    deleted_project.retire(project)
    newer = LabelingProject.objects.create(label_studio_id=9, title="Made anew", study=the_study())
    LabelingTask.objects.filter(slice_index=1).update(project=newer, label_studio_id=900)
    task = LabelingTask.objects.get(slice_index=1)
    task.former.create(project=project, label_studio_id=world.server.task_of(1)["id"])
    for index in (0, 1):
        world.server.save(index, again=False, skips=False)
    [finding] = deleted_project.bring_back()
    assert finding.code == "project-back"
    assert upkeep.take_up(LabelingProject.objects.get(pk=project.pk)).stored == 2
    assert [save is not None for save in current_saves(world.case).values()] == [True, True, False]


def test_another_project_of_the_same_number_is_not_taken_for_ours(world: World) -> None:
    project = LabelingProject.objects.get()
    assert not deleted_project.is_gone(project)
    deleted_project.retire(project)
    LabelingProject.objects.filter(pk=project.pk).update(made_at="2026-01-01T00:00:00Z")
    assert deleted_project.bring_back() == []
    LabelingProject.objects.filter(pk=project.pk).update(made_at=None)
    assert deleted_project.bring_back() == [], "an older record tells it by when it was made"


def test_rounds_go_on_after_one_that_was_broken_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    rounds = iter([TryAgain("label-studio-down", "It is down.", remedy="Wait."), None])

    def one_round(**_options: Any) -> None:
        if error := next(rounds):
            raise error

    monkeypatch.setattr(upkeep, "one_round", one_round)
    upkeep.keep_up(0, tell=told.append, is_over=lambda: rounds.__length_hint__() == 0)
    assert len(told) == 1
    assert "It is down" in told[0]


@pytest.mark.slow
def test_the_loop_takes_over_what_was_lost_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    people: list[int] = []
    monkeypatch.setattr(upkeep, "ensure_people", lambda: people.append(1) or [])
    monkeypatch.setattr(upkeep, "ensure_tokens", list)
    monkeypatch.setattr(upkeep, "look_over", lambda _project, **_options: [])
    world.server.save(0, again=False, skips=False)
    rounds = iter(range(upkeep.ROUNDS_OF_CHANGES + 2))
    last = upkeep.ROUNDS_OF_CHANGES + 1
    upkeep.keep_up(0, tell=told.append, is_over=lambda: next(rounds) == last)
    assert told == ["1 saves and 0 deletions had been missed."]
    assert len(people) == 2, "everything is compared at the start and once more after the rounds of changes"
    assert current_saves(world.case)[0] is not None

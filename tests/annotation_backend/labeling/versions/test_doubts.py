"""Saves that Label Studio does not confirm, or whose annotator is unknown, count nowhere and are one finding a case."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationDeletion,
    AnnotationFinding,
    ConfirmationOutcome,
    FindingKind,
    LabelingProject,
    LabelingTask,
    Restoration,
    TaskState,
)
from annotation_backend.labeling.predictions import neighbours
from annotation_backend.labeling.saves import confirm
from annotation_backend.labeling.saves.confirm import confirm_saves, note
from annotation_backend.labeling.saves.reconcile import pull
from annotation_backend.labeling.saves.save import read_save
from annotation_backend.labeling.saves.store import mark_deleted, receive, unmark
from annotation_backend.labeling.versions import versions
from annotation_backend.labeling.versions.assembly import assemble, current_saves
from annotation_backend.labeling.versions.decoded_masks import decode_missing
from annotation_backend.labeling.versions.doubts import name_annotator, note_doubts, unexplained, unproved
from annotation_backend.labeling.versions.losses import may_mark_seen, note_losses, open_findings
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.labeling.versions.versions import restore
from annotation_backend.review.models import Verdict
from annotation_backend.review.services import decide
from datasets.errors import RejectedInput, TryAgain
from datasets.formats.nifti import read_mask
from datasets.study.case import QualityScore
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_double import answer_with
from tests.annotation_backend.support.records import published, registered_case, save_body, saved

pytestmark = pytest.mark.django_db

EARLY = "2026-01-01T00:00:00.000001Z"
EARLIER = "2026-11-21T09:59:59.000001Z"
LATER = "2026-11-21T11:00:00.000001Z"
MADE = "2026-11-21T09:00:00.000001Z"


class Server:
    """Label Studio's annotations and tasks, as it answers when it is asked about them one by one."""

    def __init__(self) -> None:
        self.annotations: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.has_project = True

    def call(self, method: str, path: str, **_options: Any) -> Any:
        _, _, kind, number, *_ = path.split("/")
        if kind == "projects" and self.has_project:
            return {"id": int(number)}
        rows = {"annotations": self.annotations, "tasks": self.tasks}.get(kind, {})
        if int(number) not in rows:
            raise RejectedInput("label-studio-missing", "It is not there.", remedy="None.")
        return rows[int(number)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(confirm, "call", server.call)
    monkeypatch.setattr(confirm, "PATIENCE", timedelta(0))
    monkeypatch.setattr("annotation_backend.labeling.predictions.neighbours.propagate_after_save", lambda _save: None)
    return server


@pytest.fixture
def tasks(people: dict[Role, User]) -> list[LabelingTask]:
    return published(registered_case())


@pytest.fixture
def real(tasks: list[LabelingTask], server: Server) -> Annotation:
    """What an annotator drew on slice 2, in Label Studio and here."""
    server.annotations[7] = save_body(tasks[2], created_at=MADE)
    for task in tasks:
        data = {"case": "C0001", "slice": task.slice_index}
        server.tasks[task.label_studio_id] = {"id": task.label_studio_id, "data": data, "created_at": EARLY}
    return saved(tasks[2])


def _forge(task: LabelingTask, **changes: Any) -> None:
    assert receive({"action": "ANNOTATION_UPDATED", "annotation": save_body(task, **changes)}) == "stored"


def _work(task: LabelingTask) -> None:
    assert confirm_saves(task.case) == 0
    decode_missing(task.case)
    note_losses(task.case)
    note_doubts(task.case)


def _doubts(task: LabelingTask) -> list[tuple[str, int]]:
    rows = open_findings(task.case).filter(kind__in=[FindingKind.UNCONFIRMED, FindingKind.AUTHOR])
    return [(row.kind, row.numbers["count"]) for row in rows]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"person": 999999, "updated_at": EARLY}, ConfirmationOutcome.MISMATCH),
        ({"person": 999999, "updated_at": EARLIER}, ConfirmationOutcome.SUPERSEDED),
        ({"person": 3, "updated_at": EARLIER, "result": []}, ConfirmationOutcome.SUPERSEDED),
        ({"person": 0, "updated_at": EARLIER, "result": []}, ConfirmationOutcome.SUPERSEDED),
        ({"completed_by": 3, "result": []}, ConfirmationOutcome.MISMATCH),
        ({"updated_at": "2031-01-01T00:00:00.000001Z"}, ConfirmationOutcome.MISMATCH),
        ({"identifier": 8, "updated_at": "2031-01-01T00:00:00.000001Z"}, ConfirmationOutcome.UNKNOWN),
    ],
    ids=["stranger", "stranger since", "another's name", "nobody", "same time", "future", "never there"],
)
def test_a_forged_save_is_evidence_that_names_nobody_and_changes_nothing(
    client: Client,
    people: dict[Role, User],
    real: Annotation,
    changes: dict[str, Any],
    outcome: ConfirmationOutcome,
) -> None:
    task = real.task
    before = assemble(task.case)
    assert before is not None
    _forge(task, **changes)
    for _ in range(2):
        assert current_saves(task.case)[2] == real
        assert assemble(task.case) == before
        assert before.annotators() == {4}
        _work(task)
    forged = Annotation.objects.order_by("pk").last()
    assert forged is not None
    assert forged.confirmation.outcome == outcome
    assert _doubts(task) == [(FindingKind.UNCONFIRMED, 1)]
    client.force_login(people[Role.DATA_MANAGER])
    page = client.get(page_at("slice-versions", "C0001", 2)).content.decode()
    assert outcome.label in page
    assert f"versions/{forged.number}/restore" not in page
    with pytest.raises(RejectedInput, match="version-unproved"):
        restore(forged, person=people[Role.RADIOLOGIST])


def test_two_saves_in_quick_succession_raise_no_alarm(real: Annotation) -> None:
    _forge(real.task, updated_at=EARLIER, result=[])
    _work(real.task)
    assert Annotation.objects.all().evidence().count() == 1
    assert unexplained(real.task.case) == []
    assert _doubts(real.task) == []


def test_a_save_under_the_next_number_and_its_deletion_never_count(
    tasks: list[LabelingTask], server: Server, real: Annotation
) -> None:
    receive({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 8}], "project": {"id": 1}})
    _forge(tasks[0], identifier=8, updated_at="2031-01-01T00:00:00.000001Z")
    _work(tasks[0])
    server.annotations[8] = save_body(tasks[1], identifier=8, updated_at=LATER, created_at=LATER)
    receive({"action": "ANNOTATION_CREATED", "annotation": server.annotations[8]})
    _work(tasks[0])
    assert [save is not None for save in current_saves(tasks[0].case).values()] == [False, True, True, False, False]
    assert _doubts(tasks[0]) == [(FindingKind.UNCONFIRMED, 1)]


def test_a_forgery_that_names_a_task_number_of_before_does_not_move_a_save_to_another_slice(
    tasks: list[LabelingTask], server: Server, real: Annotation
) -> None:
    tasks[0].former.create(project=tasks[0].project, label_studio_id=tasks[2].label_studio_id)
    body = save_body(tasks[2], result=[], updated_at=LATER, created_at=MADE)
    server.annotations[7] = body
    place = {"id": tasks[2].label_studio_id, "data": {"case": "C0001", "slice": 0}}
    receive({"action": "ANNOTATION_UPDATED", "annotation": body, "task": place})
    assert Annotation.objects.order_by("pk").last().task == tasks[0]
    _work(tasks[0])
    current = current_saves(tasks[0].case)
    assert current[0] is None
    assert current[2] is not None
    assert current[2].raw["result"] == []


@pytest.mark.slow
def test_hundreds_of_forged_saves_are_one_finding_with_a_count_and_seen_by_one_click(
    client: Client, people: dict[Role, User], real: Annotation
) -> None:
    for second in range(60):
        _forge(real.task, updated_at=f"2026-11-21T09:30:{second:02}.000001Z", person=1 + second % 4, result=[])
    _work(real.task)
    assert _doubts(real.task) == [(FindingKind.UNCONFIRMED, 45)], "a quarter is in the annotator's own name"
    finding = open_findings(real.task.case).get()
    for role, seen in ((Role.ANNOTATOR, False), (Role.RADIOLOGIST, False), (Role.DATA_MANAGER, True)):
        client.force_login(people[role])
        client.post(page_at("finding-seen", finding.pk))
        finding.refresh_from_db()
        assert (finding.seen_by is not None) == seen, "who stands in the doubt leaves it to a data manager"
    _work(real.task)
    assert _doubts(real.task) == []
    _forge(real.task, updated_at=EARLIER, person=999999)
    _work(real.task)
    assert _doubts(real.task) == [(FindingKind.UNCONFIRMED, 1)], "what comes later is a finding of its own"


def test_a_forged_deletion_changes_neither_state_nor_comment(real: Annotation) -> None:
    LabelingTask.objects.filter(pk=real.task_id).update(state=TaskState.RETURNED, review_comment="Lower border.")
    receive({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 1}})
    _work(real.task)
    task = LabelingTask.objects.get(pk=real.task_id)
    assert (task.state, task.review_comment) == (TaskState.RETURNED, "Lower border.")
    assert not AnnotationDeletion.objects.exists()


def test_a_deletion_counts_after_label_studio_said_so_in_a_task_that_it_has(server: Server, real: Annotation) -> None:
    del server.annotations[7]
    task = server.tasks.pop(real.label_studio_task)
    receive({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 1}})
    _work(real.task)
    assert current_saves(real.task.case)[2] == real, "the task itself was deleted: what was saved in it stays"
    server.tasks[real.label_studio_task] = task
    receive({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 1}})
    _work(real.task)
    assert current_saves(real.task.case)[2] is None
    assert LabelingTask.objects.get(pk=real.task_id).state == TaskState.PENDING


def test_nothing_is_concluded_while_label_studio_does_not_show_the_project(server: Server, real: Annotation) -> None:
    server.annotations.clear()
    server.tasks.clear()
    server.has_project = False
    _forge(real.task, updated_at=LATER, result=[])
    receive({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 1}})
    assert confirm_saves(real.task.case) == 1
    assert current_saves(real.task.case)[2] == real


@pytest.mark.slow
def test_one_number_in_two_tasks_does_not_flip(tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tasks[0])
    moved = {"id": 7, **{key: value for key, value in save_body(tasks[1], updated_at=LATER).items() if key != "id"}}
    listed = [_listed(tasks[0]), _listed(tasks[1], moved)]
    answer_with(monkeypatch, lambda *_words, **_options: {"tasks": listed, "total": len(listed)})
    found = []
    for _ in range(3):
        report = pull(tasks[0].project)
        found.append((report.stored, report.deleted))
        assert [save is not None for save in current_saves(tasks[0].case).values()][:2] == [False, True]
    assert found == [(1, 1), (0, 0), (0, 0)]


def test_a_save_that_moves_without_a_change_is_a_save_of_its_new_task(tasks: list[LabelingTask]) -> None:
    first = saved(tasks[0])
    again = saved(tasks[1])
    assert again.pk != first.pk
    assert again.content_sha256 == first.content_sha256


def test_a_save_that_moves_without_a_change_is_drawn_on_its_new_slice_and_ends_an_approval(
    tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    first = saved(tasks[2])
    before = assemble(tasks[2].case)
    assert before is not None
    choices = {"quality_score": QualityScore.EXCELLENT, "accepts_unannotated": True}
    review = decide(before, people[Role.RADIOLOGIST], verdict=Verdict.APPROVE, **choices)  # type: ignore[arg-type]
    mark_deleted(Annotation.objects.filter(pk=first.pk))
    for there in (3, 2, 3):
        saved(tasks[there])
        mark_deleted(Annotation.objects.exclude(task=tasks[there]))
        unmark(Annotation.objects.filter(task=tasks[there]))
        assert standing_of(tasks[2].case).is_to_be_assembled
        now = assemble(tasks[2].case)
        assert now is not None
        assert now == standing_of(tasks[2].case).mask == assemble(tasks[2].case)
        assert now.annotated_slices == [there]
        slices = np.flatnonzero(read_mask(now.path).foreground.any(axis=(0, 1)))
        assert len(slices) == 1
        assert (slices[0] == np.flatnonzero(read_mask(before.path).foreground.any(axis=(0, 1)))[0]) == (there == 2)
    review.refresh_from_db()
    assert review.ending is not None


def _listed(task: LabelingTask, *annotations: dict[str, Any]) -> dict[str, Any]:
    data = {"case": "C0001", "slice": task.slice_index}
    return {"id": task.label_studio_id, "data": data, "created_at": EARLY, "annotations": list(annotations)}


NAMELESS: list[dict[str, Any]] = [{"updated_by": None}, {"updated_by": 99}, {"completed_by": 99}, {"person": 0}]


@pytest.mark.parametrize("changes", NAMELESS, ids=["imported", "stranger", "signed over to a stranger", "nobody"])
def test_a_drawing_of_nobody_known_is_in_no_mask_opens_no_page_and_is_not_restored(
    client: Client, people: dict[Role, User], real: Annotation, tasks: list[LabelingTask], changes: dict[str, Any]
) -> None:
    nameless = saved(tasks[3], identifier=8, **changes)
    _work(tasks[3])
    mask = assemble(tasks[3].case)
    assert mask is not None
    assert mask.annotated_slices == [2]
    assert LabelingTask.objects.get(pk=tasks[3].pk).state == TaskState.PENDING
    assert _doubts(tasks[3]) == [(FindingKind.AUTHOR, 1)]
    client.force_login(people[Role.ANNOTATOR])
    assert client.get(page_at("slice-versions", "C0001", 3)).status_code == 403
    with pytest.raises(RejectedInput, match="version-unproved"):
        restore(nameless, person=people[Role.DATA_MANAGER])
    saved(tasks[3], identifier=8, updated_at=LATER)
    assert current_saves(tasks[3].case)[3] is None, "saving over it does not make it somebody's"
    drawn_anew = saved(tasks[3], identifier=9, updated_at=LATER)
    assert current_saves(tasks[3].case)[3] == drawn_anew


def test_a_data_manager_names_who_drew_and_nobody_else_can(
    client: Client, people: dict[Role, User], tasks: list[LabelingTask]
) -> None:
    saved(tasks[3], identifier=8, updated_by=None)
    saved(tasks[4], identifier=9, updated_by=None, result=[])
    _work(tasks[3])
    finding = open_findings(tasks[3].case).get()
    form = {"person": people[Role.RADIOLOGIST].pk, "newest": finding.annotation_id}
    address = page_at("finding-drawer", finding.pk)
    for role in (Role.ANNOTATOR, Role.RADIOLOGIST):
        client.force_login(people[role])
        assert client.post(address, form).status_code == 403
    client.force_login(people[Role.DATA_MANAGER])
    assert "Drew them" in client.get(page_at("finding-list")).content.decode()
    for person in ("", "x", "²", "99999999999999999999"):
        assert client.post(address, {**form, "person": person}).status_code == 404
    assert "Look at them" in client.post(address, {**form, "newest": 1}, follow=True).content.decode()
    assert unproved(tasks[3].case) != []
    assert "drew 2 saves" in client.post(address, form, follow=True).content.decode()
    assert "nothing to name" not in client.post(address, form, follow=True).content.decode()
    mask = assemble(tasks[3].case)
    assert mask is not None
    assert mask.annotated_slices == [3, 4]
    drew = [role for role in Role if mask.is_drawn_by(people[role])]
    assert drew == [Role.RADIOLOGIST, Role.ANNOTATOR]
    assert mask.is_own_work_of(people[Role.DATA_MANAGER]), "who named answers for it"
    assert LabelingTask.objects.get(pk=tasks[3].pk).state == TaskState.ANNOTATED
    assert _doubts(tasks[3]) == []


def test_a_name_is_not_given_to_what_is_imported_under_the_same_number_later(
    people: dict[Role, User], tasks: list[LabelingTask]
) -> None:
    saved(tasks[3], identifier=8, updated_by=None)
    _work(tasks[3])
    name_annotator(open_findings(tasks[3].case).get(), people[Role.ANNOTATOR], named_by=people[Role.DATA_MANAGER])
    saved(tasks[3], identifier=8, updated_by=None, updated_at=LATER, result=[])
    _work(tasks[3])
    assert current_saves(tasks[3].case)[3] is None
    assert _doubts(tasks[3]) == [(FindingKind.AUTHOR, 1)]


def test_a_version_restored_into_a_new_annotation_stays_the_drawing_of_all_who_drew_it(
    people: dict[Role, User], tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tasks[2], completed_by=4, updated_by=3)
    changed = saved(tasks[2], completed_by=4, updated_by=2, updated_at=LATER)

    def call(_method: str, path: str, *, json: dict[str, Any]) -> dict[str, Any]:
        if "annotations/7" in path:
            raise RejectedInput("label-studio-missing", "It is gone.", remedy="None.")
        assert json["completed_by"] == 4
        return save_body(tasks[2], identifier=8, updated_at="2026-11-21T12:00:00.000001Z", updated_by=1) | json

    monkeypatch.setattr(versions, "call", call)
    restore(changed, person=people[Role.RADIOLOGIST])
    mask = assemble(tasks[2].case)
    assert mask is not None
    assert [save.label_studio_id for save in mask.annotations.all()] == [8]
    assert all(mask.is_drawn_by(people[role]) for role in Role)


def test_who_restored_what_nobody_is_proved_to_have_drawn_answers_for_it(
    people: dict[Role, User], tasks: list[LabelingTask]
) -> None:
    forged = save_body(tasks[2], person=0, updated_at=EARLIER)
    receive({"action": "ANNOTATION_UPDATED", "annotation": forged})
    source = Annotation.objects.get()
    note(source, ConfirmationOutcome.SUPERSEDED)
    result = saved(tasks[2], completed_by=4, updated_by=1)
    Restoration.objects.create(source=source, result=result, person=people[Role.RADIOLOGIST])
    mask = assemble(tasks[2].case)
    assert mask is not None
    assert mask.is_drawn_by(people[Role.RADIOLOGIST]), "as an earlier version of this program let them"


def test_an_own_loss_is_for_somebody_else_to_mark_as_seen_by_button_and_by_restoring(
    client: Client, people: dict[Role, User], tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(_method: str, _path: str, *, json: dict[str, Any]) -> dict[str, Any]:
        return save_body(tasks[2], updated_at="2026-11-21T12:00:00.000001Z", updated_by=1) | json

    saved(tasks[2])
    small = saved(tasks[2], updated_at=LATER, result=[])
    _work(tasks[2])
    loss = open_findings(tasks[2].case).get()
    monkeypatch.setattr(versions, "call", call)
    client.force_login(people[Role.ANNOTATOR])
    assert client.post(page_at("finding-seen", loss.pk)).status_code == 403
    assert client.post(page_at("restore-version", "C0001", 2, small.number)).status_code == 302
    loss.refresh_from_db()
    assert loss.seen_by is None
    assert not may_mark_seen(loss, people[Role.ANNOTATOR])

    saved(tasks[4], identifier=9, person=3)
    saved(tasks[4], identifier=9, person=3, updated_at=LATER, result=[])
    _work(tasks[4])
    own = AnnotationFinding.objects.get(annotation__label_studio_id=9)
    client.force_login(people[Role.RADIOLOGIST])
    answer = client.post(page_at("finding-seen", own.pk), follow=True)
    own.refresh_from_db()
    assert own.seen_by is None
    assert "somebody else looks at it" in answer.content.decode()
    client.post(page_at("finding-seen", loss.pk))
    client.force_login(people[Role.DATA_MANAGER])
    client.post(page_at("finding-seen", own.pk))
    assert set(AnnotationFinding.objects.values_list("seen_by", flat=True)) >= {
        people[Role.RADIOLOGIST].pk,
        people[Role.DATA_MANAGER].pk,
    }


@pytest.mark.parametrize("outcome", [None, *ConfirmationOutcome])
def test_only_a_confirmed_save_opens_the_versions_of_its_slice(
    client: Client, people: dict[Role, User], tasks: list[LabelingTask], outcome: ConfirmationOutcome | None
) -> None:
    saved(tasks[2], person=3)
    receive({"action": "ANNOTATION_CREATED", "annotation": save_body(tasks[2], identifier=9)})
    if outcome:
        note(Annotation.objects.get(label_studio_id=9), outcome)
    is_confirmed = outcome in (ConfirmationOutcome.CONFIRMED, ConfirmationOutcome.UNCHECKED_LEGACY)
    client.force_login(people[Role.ANNOTATOR])
    assert client.get(page_at("slice-versions", "C0001", 2)).status_code == (200 if is_confirmed else 403)
    assert client.get(page_at("compare-versions", "C0001", 2, 1, 2)).status_code == (200 if is_confirmed else 403)
    address = page_at("restore-version", "C0001", 2, 1)
    LabelingProject.objects.update(is_retired=True)
    assert client.post(address).status_code == (302 if is_confirmed else 403)


@pytest.mark.parametrize("answer", [[], "<html>", {"id": 9}, {"id": 9, "result": [], "updated_at": "tomorrow"}])
def test_an_answer_that_is_none_costs_its_annotation_and_the_others_are_confirmed(
    real: Annotation, server: Server, answer: Any
) -> None:
    _forge(real.task, identifier=9)
    server.annotations[9] = answer
    later = save_body(real.task, updated_at=LATER, created_at=MADE)
    assert receive({"action": "ANNOTATION_UPDATED", "annotation": later}) == "stored"
    server.annotations[7] = later
    assert confirm_saves(real.task.case) == 1
    assert current_saves(real.task.case)[2] == Annotation.objects.get(content_sha256=read_save(later).content_sha256)


def test_where_nothing_answers_as_label_studio_does_it_is_said(real: Annotation, server: Server) -> None:
    _forge(real.task, updated_at=LATER)
    server.annotations[7] = []  # type: ignore[assignment]
    with pytest.raises(TryAgain, match="label-studio-answer"):
        confirm_saves(real.task.case)


def test_what_label_studio_denied_and_has_after_all_counts_when_it_is_seen(real: Annotation) -> None:
    _forge(real.task, updated_at=LATER, result=[])
    late = Annotation.objects.order_by("pk").last()
    assert late is not None
    note(late, ConfirmationOutcome.UNKNOWN)
    assert current_saves(real.task.case)[2] == real
    assert saved(real.task, updated_at=LATER, result=[]) == late
    assert current_saves(real.task.case)[2] == late


def test_the_slices_around_a_save_follow_it_once_label_studio_has_confirmed_it(
    real: Annotation, tasks: list[LabelingTask], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[set[int]] = []
    monkeypatch.setattr(
        neighbours, "propagated_masks", lambda _case, known, *_words, **_more: followed.append(set(known)) or []
    )
    body = save_body(tasks[4], identifier=9, updated_at=LATER, created_at=LATER)
    receive({"action": "ANNOTATION_CREATED", "annotation": body})
    again: list[neighbours.Due] = []
    monkeypatch.setattr(neighbours.propagator, "ask", again.append)
    monkeypatch.setattr(confirm, "PATIENCE", timedelta(minutes=1))
    neighbours.redraw(neighbours.Due(tasks[4].case_id, None, 4, 0.0, asks=2))
    neighbours.redraw(again[0])
    assert [due.asks for due in again] == [1, 0], "Label Studio is asked again while it does not have it"
    neighbours.redraw(again[1])
    assert followed == [{2}]
    server.annotations[9] = body
    neighbours.redraw(again[0])
    assert followed == [{2}, {2, 4}]


MOMENTS = [
    EARLY,
    MADE,
    EARLIER,
    "2026-11-21T10:00:00.000001Z",
    LATER,
    "2031-01-01T00:00:00Z",
    "1970-01-01T00:00:00+14:00",
]
FORGERIES = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED"]),
        "identifier": st.integers(6, 9),
        "slice": st.integers(0, 4),
        "completed_by": st.integers(0, 5),
        "updated_by": st.integers(0, 5),
        "updated_at": st.sampled_from(MOMENTS),
        "is_empty": st.booleans(),
        "was_cancelled": st.booleans(),
        "place": st.sampled_from([None, 0, 2, 4]),
    }
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(forgeries=st.lists(FORGERIES, min_size=1, max_size=5))
def test_whatever_is_forged_what_counts_who_drew_it_and_where_it_stands_stays_the_same(
    real: Annotation, tasks: list[LabelingTask], forgeries: list[dict[str, Any]]
) -> None:
    mark = transaction.savepoint()
    LabelingTask.objects.filter(slice_index=2).update(state=TaskState.RETURNED, review_comment="Lower border.")
    before = _stands(tasks[0])
    for forged in forgeries:
        with suppress(RejectedInput):  # of a slice that never had the number
            receive(_forgery(tasks, forged))
    assert _stands(tasks[0]) == before
    _work(tasks[0])
    assert _stands(tasks[0]) == before
    assert len(_doubts(tasks[0])) == bool(unexplained(tasks[0].case))
    assert not AnnotationDeletion.objects.exists()
    transaction.savepoint_rollback(mark)


def _forgery(tasks: list[LabelingTask], forged: dict[str, Any]) -> dict[str, Any]:
    if forged["action"] == "ANNOTATIONS_DELETED":
        return {"action": forged["action"], "annotations": [{"id": forged["identifier"]}], "project": {"id": 1}}
    fields = ("completed_by", "updated_by", "updated_at", "was_cancelled")
    changes = {name: forged[name] for name in fields} | ({"result": []} if forged["is_empty"] else {})
    body = save_body(tasks[forged["slice"]], identifier=forged["identifier"], **changes)
    place = forged["place"]
    along = {} if place is None else {"task": {"id": body["task"], "data": {"case": "C0001", "slice": place}}}
    return {"action": forged["action"], "annotation": body, **along}


def _stands(task: LabelingTask) -> tuple[object, ...]:
    """What counts on each slice, the mask made of it and who drew in it, and the states that people see."""
    mask = assemble(task.case)
    states = LabelingTask.objects.filter(case=task.case).order_by("slice_index").values_list("state", "review_comment")
    return current_saves(task.case), mask, mask and mask.annotators(), list(states)

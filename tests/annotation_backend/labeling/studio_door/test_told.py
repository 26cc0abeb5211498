"""What a person's lists, tasks and projects say: the same, whatever others drew meanwhile."""

import json
import sys
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from annotation_backend.labeling.studio_door.addresses import Who
from annotation_backend.labeling.studio_door.conditions import CONDITIONS, Asked
from annotation_backend.labeling.studio_door.narrowing import NARROWED
from annotation_backend.labeling.studio_door.permits import PERMITS, Answer, Permit
from annotation_backend.labeling.studio_door.refusals import Refused

ME, PROJECT, TASK = 7, 2, 3
BLIND = Permit(may_look=True, may_draw=True)
CONTROL = Permit(may_look=True, may_draw=True, sees_model=True, own_predictions=frozenset({901}))


@pytest.fixture(autouse=True)
def of_mine(monkeypatch: pytest.MonkeyPatch) -> dict[int, Permit]:
    permits = {TASK: BLIND}
    answer = Answer(projects=frozenset({PROJECT}), tasks=frozenset({TASK}), alone=frozenset({TASK}))
    monkeypatch.setattr(PERMITS, "of", lambda *_args, **_options: answer)
    monkeypatch.setattr(PERMITS, "of_each", lambda *_args, tasks, **_options: {one: permits[one] for one in tasks})
    return permits


def _told(who: Who, data: Any, *, tasks: frozenset[int] | None = frozenset({TASK})) -> Any:
    asked = Asked(
        request=SimpleNamespace(user=SimpleNamespace(email="me@x.org")), who=who, values={}, entry="e", person=ME
    )
    asked.project, asked.answer = PROJECT, Answer(projects=frozenset({PROJECT}), tasks=tasks, permit=BLIND)
    return NARROWED[who](asked, data)


def _task(**changes: Any) -> dict[str, Any]:
    row = {"id": TASK, "data": {"state": "pending"}, "created_at": "2026-01-01", "updated_at": "2026-01-01"}
    drawn = {"is_labeled": False, "completed_at": None, "draft_exists": False, "annotators": [], "total_predictions": 1}
    return {**row, **drawn, "predictions_model_versions": "one", **changes}


DRAWN = {
    "data": {"state": "annotated"}, "updated_at": "2026-01-02", "is_labeled": True, "completed_at": "2026-01-02",
    "draft_exists": True, "annotators": [8], "total_predictions": 2, "predictions_model_versions": "one, two",
}  # fmt: skip
"""What others change."""


@pytest.mark.parametrize("permit", [BLIND, CONTROL])
def test_a_task_says_nothing_of_others(permit: Permit, of_mine: dict[int, Permit]) -> None:
    of_mine[TASK] = permit
    before, after = (_told(Who.TASKS, {"tasks": [row], "total": 1}) for row in (_task(), _task(**DRAWN)))
    assert after == before
    assert [row["id"] for row in before["tasks"]] == [TASK], "a control case is not missed by who looks for it"
    assert _told(Who.TASK, _task(**DRAWN)) == _told(Who.TASK, _task())


def test_a_data_manager_is_told_all_of_a_task(of_mine: dict[int, Permit]) -> None:
    of_mine[TASK] = Permit(may_look=True, sees_others=True, sees_model=True)
    [seen] = _told(Who.TASKS, {"tasks": [_task(**DRAWN)]}, tasks=None)["tasks"]
    assert seen == _task(**DRAWN)


def test_a_project_counts_ones_own_tasks() -> None:
    counts = {"task_number": 40, "total_annotations_number": 9, "finished_task_number": 8, "queue_done": 7}
    own = {"task_number": 1, "total_annotations_number": 0, "finished_task_number": 0, "queue_done": 0}
    project = {"id": PROJECT, "title": "x"}
    assert _told(Who.PROJECT_COUNTS, {**project, **counts}) == {**project, **own}
    assert _told(Who.PROJECTS, {"results": [{**project, **counts}]}) == {"results": [{**project, **own}]}
    assert _told(Who.STATE, {"task_count": 40, "annotation_count": 9}) == {"task_count": 1, "annotation_count": 0}
    assert _told(Who.PROJECT_COUNTS, {**project, **counts}, tasks=None) == {**project, **counts}


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        *(("utf-7", b'{"started_at": "+ACI-,+ACI-completed_by+ACI-:8,+ACI-selected+ACI-:+ACI-"}'), ("x", b"{}")),
        *(("utf-8", b'{"result": ' + b"[" * 100_000), ("utf-8", json.dumps({"completed_by": 8}).encode("utf-16"))),
    ],
)
def test_a_save_that_label_studio_would_read_otherwise_is_refused(
    charset: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asked, "of_task", lambda _self, _task: BLIND)
    request = SimpleNamespace(content_type="application/json", content_params={"charset": charset}, body=body)
    with pytest.raises(Refused) as refused:
        CONDITIONS[Who.DRAWING](Asked(request=request, who=Who.DRAWING, values={"pk": TASK}, entry="e", person=ME))
    assert (refused.value.status, refused.value.code) == (400, "door-request")


@pytest.mark.parametrize(
    ("permit", "shown"),
    [
        (BLIND, set()),
        (Permit(sees_model=True), {900, 901}),
        (CONTROL, {901}),
        (Permit(sees_model=True, hidden_predictions=frozenset({901})), {900}),
    ],
)
def test_a_save_begins_from_a_prediction_that_is_shown(
    permit: Permit, shown: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Label Studio writes the prediction into the save, where it could be read."""
    asked_for: list[int] = []

    def rows(*, pk: int, **_options: Any) -> Any:
        asked_for.append(pk)
        return SimpleNamespace(exists=lambda: True)

    model = SimpleNamespace(objects=SimpleNamespace(filter=rows))
    monkeypatch.setitem(sys.modules, "tasks.models", SimpleNamespace(Annotation=model, Prediction=model))
    permit = replace(permit, may_draw=True)
    answer = Answer(projects=frozenset({PROJECT}), permit=permit)

    def of_task(asked: Asked, _task: int) -> Permit:
        asked.project, asked.answer = PROJECT, answer
        return permit

    monkeypatch.setattr(Asked, "of_task", of_task)
    for number in (900, 901):
        body = json.dumps({"result": [], "parent_prediction": number}).encode()
        request = SimpleNamespace(content_type="application/json", content_params={}, body=body)
        asked = Asked(request=request, who=Who.DRAWING, values={"pk": TASK}, entry="e", person=ME)
        with nullcontext() if number in shown else pytest.raises(Refused):
            CONDITIONS[Who.DRAWING](asked)
    assert set(asked_for) == shown

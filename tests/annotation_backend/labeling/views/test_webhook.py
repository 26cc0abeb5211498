"""The webhook: its secret, and that any body gets one named answer and harms nothing."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from annotation_backend.job_queue import queue_once
from annotation_backend.labeling import upkeep
from annotation_backend.labeling.jobs import assemble_case, predict_case
from annotation_backend.labeling.models import (
    Annotation,
    ConfirmationOutcome,
    DeletionAsked,
    LabelingProject,
    LabelingTask,
    Secret,
)
from annotation_backend.labeling.saves.confirm import note
from annotation_backend.labeling.saves.store import mark_deleted, receive
from annotation_backend.labeling.studio.credentials import SECRET_HEADER, basic_auth, renew, webhook_headers
from annotation_backend.supervision.lost_jobs import WORKER_GONE
from tests.annotation_backend.support.records import accounts, published, registered_case, save_body, saved, the_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> LabelingTask:
    monkeypatch.setattr("annotation_backend.labeling.predictions.neighbours.propagate_after_save", lambda _save: None)
    accounts()
    return published(registered_case())[2]


def _post(client: Client, body: object, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, str) else json.dumps(body)
    answer = client.post(
        reverse("ml-webhook"), content, content_type="application/json", headers=headers or webhook_headers()
    )
    return answer.status_code, answer.json()


def _saved(of: LabelingTask, /, identifier: int = 7, **changes: Any) -> dict[str, Any]:
    return {"action": "ANNOTATION_CREATED", "annotation": save_body(of, identifier=identifier) | changes}


def test_the_webhooks_own_secret_opens_the_webhook_and_nothing_else(client: Client, task: LabelingTask) -> None:
    assert _post(client, _saved(task)) == (200, {"received": "stored"})
    for name in ("ml-health", "ml-setup", "ml-predict", "ml-versions"):
        for send in (client.get, client.post):
            assert send(reverse(name), headers=webhook_headers()).status_code == 401
    secret = next(iter(webhook_headers().values()))
    assert client.get(reverse("ml-health"), headers={"authorization": f"Basic {secret}"}).status_code == 401


def test_the_ml_backends_password_brings_the_training_button_and_no_save(client: Client, task: LabelingTask) -> None:
    password = {"authorization": basic_auth()}
    for body in (_saved(task), {"action": "ANNOTATIONS_DELETED"}, {"action": ["START_TRAINING"]}, {}):
        assert _post(client, body, password)[0] == 401
    assert not Annotation.objects.exists()
    pressed = {"action": "START_TRAINING", "project": {"id": task.project.label_studio_id}}
    assert _post(client, pressed, password) == (200, {"received": "queued"})


def test_a_renewed_secret_opens_and_the_one_before_does_not(client: Client, task: LabelingTask) -> None:
    header, password = webhook_headers(), basic_auth()
    renew(Secret.WEBHOOK, reason="seen elsewhere")
    assert basic_auth() == password
    assert _post(client, _saved(task), header)[0] == 401
    assert _post(client, _saved(task), webhook_headers())[0] == 200
    renew(Secret.ML_BACKEND, reason="seen elsewhere")
    for secret, status in ((password, 401), (basic_auth(), 200)):
        assert client.get(reverse("ml-health"), headers={"authorization": secret}).status_code == status
    assert len({webhook_headers()[SECRET_HEADER], header[SECRET_HEADER], password, basic_auth()}) == 4


@pytest.mark.parametrize("secret", ["", "0" * 64, "ü"])
def test_nobody_else_is_let_in(client: Client, task: LabelingTask, secret: str) -> None:
    header = secret.encode().decode("latin-1")
    assert _post(client, _saved(task), {"X-Maskloop-Webhook": header})[0] == 401
    assert not Annotation.objects.exists()


def test_a_body_that_is_too_large_is_named(client: Client, task: LabelingTask, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    status, answer = _post(client, _saved(task))
    assert (status, answer["code"]) == (413, "request-too-large")


BAD_IDS = ["7", -1, 0, 2**31, 2**63, 10**40, True, None, 1.5, [], {}]
NAMED = {"save-malformed", "request-malformed", "task-unknown", "project-unknown"}


@pytest.mark.parametrize("field", ["id", "task", "project", "completed_by", "updated_by"])
@pytest.mark.parametrize("value", BAD_IDS, ids=repr)
def test_a_number_that_is_none_is_refused_by_name_or_passed_over(
    client: Client, task: LabelingTask, field: str, value: object
) -> None:
    status, answer = _post(client, _saved(task, **{field: value}))
    if field in ("completed_by", "updated_by"):
        assert (status, answer) == (200, {"received": "stored"})
        assert getattr(Annotation.objects.get(), field) == 0
    else:
        assert (status, answer["code"] in NAMED) == (400, True)
        assert not Annotation.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{", 400),
        ("[" * 100_000, 400),
        ("[]", 400),
        ('"text"', 400),
        ('{"action": NaN}', 200),
        ({}, 200),
        ({"action": None}, 200),
        ({"action": 7}, 200),
        ({"action": ["ANNOTATION_CREATED"]}, 200),
        ({"action": "ANNOTATION_ERASED"}, 200),
        ({"action": "PROJECT_UPDATED", "project": None}, 200),
        ({"action": "TASKS_DELETED", "tasks": "all"}, 200),
        ({"action": "PROJECT_DELETED"}, 200),
        ({"action": "ANNOTATION_CREATED"}, 400),
        ({"action": "ANNOTATION_UPDATED", "annotation": []}, 400),
        ({"action": "ANNOTATIONS_CREATED"}, 400),
        ({"action": "ANNOTATIONS_CREATED", "annotation": [7]}, 400),
        ({"action": "ANNOTATIONS_DELETED"}, 400),
        ({"action": "ANNOTATIONS_DELETED", "annotations": [7]}, 400),
        ({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}]}, 400),
        ({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": "7"}], "project": {"id": 1}}, 400),
        ({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 2**63}], "project": {"id": 1}}, 400),
        ({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 2**63}}, 400),
        ({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 99}}, 400),
    ],
)
def test_whatever_comes_gets_one_named_answer(client: Client, task: LabelingTask, body: object, status: int) -> None:
    _post(client, _saved(task, identifier=7))
    found, answer = _post(client, body)
    assert found == status
    assert answer.get("code") in NAMED if status == 400 else answer["received"] in ("ignored", "noted")
    assert Annotation.objects.count() == 1


HALF = "\ud800"


@pytest.mark.parametrize(
    ("along", "changes", "status"),
    [
        ({"task": {"id": 103, "data": {"case": f"C{HALF}", "slice": 2}}}, {}, 400),
        ({"task": {"id": 103, "data": {"case": "C\0", "slice": 2}}}, {}, 400),
        ({"task": {"id": 103, "data": {"case": "C0001", "slice": 10**30}}}, {}, 400),
        ({"task": {"id": 103, "data": {"case": "C0001", "slice": -(10**30)}}}, {}, 400),
        ({"task": {HALF: HALF}, "project": {HALF: HALF}}, {}, 200),
        ({}, {HALF: HALF}, 200),
        ({}, {"result": [{HALF: [HALF, {"text": HALF}]}]}, 200),
        ({}, {"result": [{"rle": HALF}]}, 400),
        ({}, {"updated_at": f"2026-{HALF}"}, 400),
        ({}, {"updated_at": "0001-01-01T00:00:00+14:00"}, 400),
        ({}, {"updated_at": "9999-12-31T23:59:59.999999-14:00"}, 400),
        ({}, {"updated_at": "0001-01-01T00:00:00Z"}, 200),
        ({}, {"updated_at": "9999-12-31T23:59:59.999999Z"}, 200),
        ({}, {"created_at": "0001-01-01T00:00:00+23:59"}, 400),
        ({}, {"created_at": HALF}, 400),
    ],
)
def test_half_characters_and_the_ends_of_the_calendar_get_a_named_answer(
    client: Client, task: LabelingTask, along: dict[str, Any], changes: dict[str, Any], status: int
) -> None:
    found, answer = _post(client, {**_saved(task, **changes), **along})
    assert found == status, answer
    if found == 400:
        assert answer["code"] in NAMED
    else:
        Annotation.objects.get().refresh_from_db()
        assert Annotation.objects.count() == 1


@pytest.mark.parametrize("depth", [10, 200, 400, 900])
def test_regions_that_are_nested_very_deep_get_a_named_answer(client: Client, task: LabelingTask, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    body = json.dumps(_saved(task, result=["nested"])).replace('"nested"', nested)
    status, answer = _post(client, body)
    assert (status, answer) == (200, {"received": "stored"}) or answer["code"] in NAMED


def test_a_bulk_stores_what_is_sound_and_names_what_is_not(client: Client, task: LabelingTask) -> None:
    first, second = save_body(task, identifier=8), save_body(task, identifier=9)
    body = {"action": "ANNOTATIONS_CREATED", "annotation": [first, {"id": "x"}, second]}
    status, answer = _post(client, body)
    assert (status, answer["code"]) == (400, "save-malformed")
    assert set(Annotation.objects.values_list("label_studio_id", flat=True)) == {8, 9}
    assert _post(client, {**body, "annotation": [first, second]}) == (200, {"received": "known"})


def test_a_deleted_task_or_project_takes_nothing_away(client: Client, task: LabelingTask) -> None:
    saved(task)
    for action in ("TASKS_DELETED", "PROJECT_DELETED"):
        body = {"action": action, "tasks": [{"id": task.label_studio_id}], "project": {"id": 1}}
        assert _post(client, body) == (200, {"received": "noted"})
    assert Annotation.objects.current(task) is not None


def test_a_deletion_of_what_was_never_saved_prepares_nothing(client: Client, task: LabelingTask) -> None:
    body = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 1}}
    assert _post(client, body) == (200, {"received": "asked"})
    assert not DeletionAsked.objects.exists()
    saved(task)
    assert Annotation.objects.current(task) is not None


def test_a_deletion_in_one_project_leaves_the_same_number_of_another(client: Client, task: LabelingTask) -> None:
    saved(task)
    task.project.is_retired = True
    task.project.save()
    other = LabelingProject.objects.create(label_studio_id=1, title="Made anew", study=the_study())
    body = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 1}}
    _post(client, body)
    assert not DeletionAsked.objects.exists()
    assert other.pk != task.project_id
    assert Annotation.objects.current(task) is not None


def test_the_same_save_by_another_person_is_another_row(client: Client, task: LabelingTask) -> None:
    _post(client, _saved(task))
    assert _post(client, _saved(task, updated_by=3))[1] == {"received": "stored"}
    assert list(Annotation.objects.values_list("number", flat=True)) == [1, 2]


def test_a_hundred_saves_of_a_case_queue_one_job(task: LabelingTask) -> None:
    for second in range(10):
        receive(_saved(task, updated_at=f"2026-11-21T10:00:{second:02}.000001Z"))
    jobs = DBTaskResult.objects.filter(task_path=assemble_case.module_path)
    assert jobs.count() == 1
    jobs.update(status="RUNNING")  # it may have looked before the next save
    receive(_saved(task, updated_at="2026-11-21T11:00:00.000001Z"))
    assert jobs.count() == 2


def test_another_job_or_another_case_is_queued_beside(task: LabelingTask) -> None:
    assert queue_once(assemble_case, case_code="C0001")
    assert not queue_once(assemble_case, case_code="C0001")
    assert queue_once(assemble_case, case_code="C0002")
    assert queue_once(predict_case, case_code="C0001")


def test_a_webhook_takes_few_queries_and_a_doubled_one_fewer(client: Client, task: LabelingTask) -> None:
    _post(client, _saved(task))
    later = _saved(task, updated_at="2026-11-21T11:00:00.000001Z")
    with CaptureQueriesContext(connection) as new:
        _post(client, later)
    with CaptureQueriesContext(connection) as doubled:
        _post(client, later)
    assert len(new) <= 14, "the service and this test each ask how often the secret was renewed"
    assert len(doubled) <= 6


def test_what_counts_is_the_same_by_both_queries(task: LabelingTask) -> None:
    from annotation_backend.labeling.saves.store import counting_save

    def counted() -> None:
        current = Annotation.objects.current(task)
        assert counting_save(task) == (current.pk if current else None)

    counted()
    for second, changes in enumerate([{}, {"identifier": 8}, {"was_cancelled": True}, {"identifier": 9}]):
        receive(_saved(task, updated_at=f"2026-11-21T10:00:{second:02}.000001Z", **changes))
        counted()
    for row, outcome in zip(
        Annotation.objects.order_by("pk"),
        [*3 * [ConfirmationOutcome.CONFIRMED], ConfirmationOutcome.MISMATCH],
        strict=True,
    ):
        note(row, outcome)
        counted()
    mark_deleted(Annotation.objects.filter(label_studio_id=8))
    counted()
    assert Annotation.objects.current(task) is None


def test_what_a_worker_left_undone_is_queued_again(task: LabelingTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "pull", lambda *_args, **_options: upkeep.PullReport())
    receive(_saved(task))
    jobs = DBTaskResult.objects.filter(task_path=assemble_case.module_path)
    jobs.update(status="RUNNING")  # and then the worker was killed
    upkeep.take_up(task.project, is_full=False)
    assert jobs.filter(status="READY").count() == 1


def test_a_failed_job_is_repeated_until_it_succeeds_or_failed_too_often(
    task: LabelingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "pull", lambda *_args, **_options: upkeep.PullReport())
    monkeypatch.setattr(upkeep, "is_up", lambda: True)
    jobs = DBTaskResult.objects.filter(task_path=predict_case.module_path)
    queue_once(predict_case, case_code="C0001")
    for failed in range(1, upkeep.MOST_ATTEMPTS + 3):
        jobs.filter(status="READY").update(status="FAILED")
        upkeep.take_up(task.project, is_full=False)
        expected = failed + 1 if failed < upkeep.MOST_ATTEMPTS else upkeep.MOST_ATTEMPTS
        assert jobs.count() == expected
    jobs.update(status="SUCCESSFUL")
    upkeep.take_up(task.project, is_full=False)
    assert not jobs.filter(status="READY").exists()


def test_a_failed_job_is_repeated_soon_then_ever_later_and_not_while_label_studio_is_silent(
    task: LabelingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = [True]
    monkeypatch.setattr(upkeep, "is_up", lambda: up[0])
    jobs = DBTaskResult.objects.filter(task_path=predict_case.module_path)

    def fail(seconds_ago: float) -> None:
        ended = timezone.now() - timedelta(seconds=seconds_ago)
        jobs.filter(status="READY").update(status="FAILED", finished_at=ended)
        jobs.filter(status="FAILED", finished_at__gt=ended).update(finished_at=ended)
        upkeep.repeat_failed_jobs()

    queue_once(predict_case, case_code="C0001")
    for pause in (5, 10, 20, 40):
        before = jobs.count()
        fail(pause - 2)
        assert jobs.count() == before, "its pause is not over"
        up[0] = False
        fail(pause + 1)
        assert jobs.count() == before
        up[0] = True
        fail(pause + 1)
        assert jobs.count() == before + 1
    jobs.filter(status="READY").update(status="FAILED", exception_class_path=WORKER_GONE)
    upkeep.repeat_failed_jobs()
    assert not jobs.filter(status="READY").exists(), "what workers die of waits for a person"

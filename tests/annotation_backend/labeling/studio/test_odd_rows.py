"""One row of another shape in an answer of Label Studio's costs that row: the others are read, and it is named."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from annotation_backend.accounts.models import SignInCount
from annotation_backend.accounts.throttle import TooManyTries, require_free
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling import upkeep
from annotation_backend.labeling.interface.editor import change_settings
from annotation_backend.labeling.interface.project_settings import ProjectSettings
from annotation_backend.labeling.jobs import predict_case
from annotation_backend.labeling.models import Annotation, AnnotationDeletion, LabelingProject, LabelingTask
from annotation_backend.labeling.project.deleted_project import is_gone
from annotation_backend.labeling.project.publish import publish
from annotation_backend.labeling.saves.reconcile import pull
from annotation_backend.labeling.saves.save import read_save
from annotation_backend.labeling.studio import client, task_lists
from annotation_backend.labeling.studio.answers import moment_of, record_of
from annotation_backend.labeling.studio.task_lists import listed
from annotation_backend.labeling.watch import tasks as watched
from datasets.errors import MaskloopError, TryAgain
from datasets.image.mask import OEDEMA
from tests.annotation_backend.support.bad_label_studio import bad_label_studio
from tests.annotation_backend.support.label_studio_double import answer_with
from tests.annotation_backend.support.records import accounts, published, registered_case, save_body, saved

pytestmark = pytest.mark.django_db

NO_NUMBERS = [None, True, "7", 1.5, -1, 10**30, 2**31, [], {}, "\ud800"]

NO_MOMENTS = [
    *(None, 3, [], "", "x", "2026-13-45T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("2026-11-21T10:00:00", "2026-11-21"),
]


@pytest.fixture
def tasks() -> list[LabelingTask]:
    accounts()
    return published(registered_case())


def _rows(tasks: list[LabelingTask]) -> list[dict[str, Any]]:
    """As Label Studio lists them, each with a save."""
    return [
        {
            "id": task.label_studio_id,
            "data": {},
            "annotations": [save_body(task, identifier=900 + task.slice_index)],
            "updated_at": "2026-11-21T10:00:00.000001Z",
        }
        for task in tasks
    ]


def _answers(monkeypatch: pytest.MonkeyPatch, rows: list[Any]) -> None:
    answer_with(monkeypatch, lambda *_words, **_options: {"tasks": rows, "total": len(rows)})


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_a_row_of_the_list_of_tasks_without_a_sound_number_is_named_and_the_others_are_taken_over(
    number: object, tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = _rows(tasks)
    rows[1] = {**rows[1], "id": number}
    _answers(monkeypatch, [*rows, None])
    report = pull(tasks[0].project)
    assert report.stored == len(tasks) - 1
    [line] = report.refused
    assert "2 row(s)" in line
    assert "[label-studio-answer]" in line
    assert len(watched.all_tasks(tasks[0].project)) == len(tasks) - 1


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_an_annotation_without_a_sound_number_costs_itself_and_takes_no_other_for_deleted(
    number: object, tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tasks[0], identifier=800)
    rows = _rows(tasks[:1])
    rows[0]["annotations"].append({"id": number})
    _answers(monkeypatch, rows)
    report = pull(tasks[0].project)
    assert report.stored == 1
    assert report.deleted == 0
    assert not AnnotationDeletion.objects.exists()
    [line] = report.refused
    assert f"Task {tasks[0].label_studio_id}" in line
    rows[0]["annotations"].pop()
    assert pull(tasks[0].project).deleted == 1


@pytest.mark.parametrize("changes", [{"data": None}, {"data": []}, {"predictions": 3}, {"predictions": [{"id": "x"}]}])
def test_a_task_of_another_shape_keeps_no_other_from_being_looked_at(
    changes: dict[str, Any], tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = _rows(tasks)
    rows[2] = {**rows[2], **changes}
    _answers(monkeypatch, rows)
    odd: list[str] = []
    found = watched.all_tasks(tasks[0].project, odd=odd)
    assert [row["id"] for row in found] == [task.label_studio_id for task in tasks if task != tasks[2]]
    [line] = odd
    assert f"Task {tasks[2].label_studio_id}" in line


def test_a_case_whose_tasks_come_with_a_row_that_is_none_is_not_published_anew(
    tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def call(method: str, path: str, **_options: Any) -> Any:
        if method == "POST":
            made.append(path)
        if path == "/api/tasks/":
            return {"tasks": [{"id": None, "data": {}}], "total": 1}
        return {"id": 1, "active_organization": 1}

    monkeypatch.setattr("annotation_backend.labeling.project.publish.ensure_project", lambda _study: tasks[0].project)
    answer_with(monkeypatch, call)
    with pytest.raises(TryAgain, match="label-studio-answer"):
        publish(tasks[0].case)
    assert not made


def test_a_list_that_repeats_a_page_or_has_no_end_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    project = LabelingProject(label_studio_id=1)
    answer_with(monkeypatch, lambda *_words, **_options: {"tasks": [{"id": 5}], "total": 10**9})
    with pytest.raises(TryAgain, match="same tasks on every page"):
        list(listed(project, fields="all"))
    monkeypatch.setattr(task_lists, "MOST_PAGES", 30)
    answer_with(monkeypatch, lambda *_words, params, **_options: {"tasks": [{"id": params["page"]}], "total": 10**9})
    with pytest.raises(TryAgain, match="without an end"):
        list(listed(project, fields="all"))


def test_a_row_that_comes_twice_is_taken_once(tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _rows(tasks[:2])
    _answers(monkeypatch, [rows[0], rows[1], rows[0]])
    report = pull(tasks[0].project)
    assert (report.stored, report.deleted, report.refused) == (2, 0, [])


@pytest.mark.parametrize("counts", [3, None, [], {"brush": 3}, {"brush": None}, {"brush": ["x"]}])
def test_counts_of_another_shape_are_no_answer(
    counts: object, tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = {"created_annotations": {}, "created_labels": {}, "created_labels_drafts": counts}
    answer_with(monkeypatch, lambda *_words, **_options: summary)
    with pytest.raises(TryAgain, match="label-studio-answer"):
        change_settings(tasks[0].project, ProjectSettings(labels={OEDEMA: True}), person=None)


@pytest.mark.parametrize("value", NO_MOMENTS)
def test_a_time_that_is_none_is_no_time(value: object) -> None:
    assert moment_of(value) is None


@pytest.mark.parametrize("value", NO_MOMENTS)
def test_a_task_that_was_changed_at_no_time_is_taken_over(
    value: object, tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{**row, "updated_at": value, "created_at": value} for row in _rows(tasks)]
    _answers(monkeypatch, rows)
    assert pull(tasks[0].project).stored == len(tasks)


def test_after_a_clock_that_was_wrong_what_changed_is_still_asked_for(
    tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = _rows(tasks)
    rows[0]["updated_at"] = "2090-01-01T00:00:00Z"
    asked: list[str] = []

    def call(*_words: object, params: dict[str, Any], **_options: Any) -> Any:
        asked.append(params.get("query", ""))
        return {"tasks": rows, "total": len(rows)}

    answer_with(monkeypatch, call)
    project = tasks[0].project
    pull(project)
    project.refresh_from_db()
    assert project.pulled_until <= timezone.now()
    LabelingProject.objects.filter(pk=project.pk).update(pulled_until=timezone.now() + timedelta(days=400))
    project.refresh_from_db()
    pull(project, is_full=False)
    assert str(timezone.now().year) in asked[-1]
    assert str((timezone.now() + timedelta(days=400)).year) not in asked[-1]


def test_another_project_than_was_asked_for_does_not_retire_ours(
    tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tasks[0].project
    project.made_at = timezone.now()
    found = {"active_organization": 1, "id": 1, "created_at": "2020-01-01T00:00:00"}
    answer_with(monkeypatch, lambda *_words, **_options: found)
    assert not is_gone(project), "a time of no zone says nothing"
    found |= {"id": 5, "created_at": "2020-01-01T00:00:00Z"}
    with pytest.raises(TryAgain, match="another project"):
        is_gone(project)


@pytest.mark.parametrize("body", [b"1" * 5000, b'{"id": ' + b"9" * 5000 + b"}", b"\xef\xbb\xbf{", b"[1, 2"])
def test_numbers_without_end_are_no_answer(body: bytes, settings: Any) -> None:
    with bad_label_studio(lambda handler: handler.send(200, body)) as server:
        settings.LABEL_STUDIO_URL = server.url
        with pytest.raises(TryAgain, match="label-studio-answer"):
            client.call("GET", "/api/users/")


def test_an_answer_without_end_is_cut_off(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST_ANSWER_BYTES", 1 << 20)
    with bad_label_studio(lambda handler: handler.send(200, b"[" + b" " * (1 << 22) + b"]")) as server:
        settings.LABEL_STUDIO_URL = server.url
        with pytest.raises(TryAgain, match="more than 1 MB"):
            client.call("GET", "/api/users/")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((401, "label-studio-token"), (403, "label-studio-token"), (404, "label-studio-missing")),
        *((408, "label-studio-error"), (413, "label-studio-request-size"), (429, "label-studio-error")),
        *((500, "label-studio-error"), (502, "label-studio-error"), (504, "label-studio-error")),
    ],
)
def test_each_status_says_what_to_do(status: int, code: str, settings: Any) -> None:
    with bad_label_studio(lambda handler: handler.send(status, b"<html>", ("Content-Type", "text/html"))) as server:
        settings.LABEL_STUDIO_URL = server.url
        with pytest.raises(MaskloopError) as refused:
            client.call("GET", "/api/users/")
    assert refused.value.code == code
    assert "Report" not in refused.value.remedy


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_beside_a_drawing_costs_nothing_but_itself(
    number: float, tasks: list[LabelingTask]
) -> None:
    body = save_body(tasks[0], lead_time=number, prediction={"score": [number]}, completed_by=number)
    read = read_save(body)
    assert read.raw["lead_time"] is None
    assert read.completed_by == 0
    saved(tasks[0], lead_time=number)
    assert Annotation.objects.get().raw["lead_time"] is None


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_a_number_that_no_row_can_hold_is_none(number: object) -> None:
    with pytest.raises(TryAgain):
        record_of({"id": number}, id=int)


def test_a_person_without_an_address_keeps_nobodys_saves_from_being_taken_over(
    tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round began anew at the same row, and never came to the saves."""
    rows, told = _rows(tasks), []

    def call(_method: str, path: str, **_options: Any) -> Any:
        if path == "/api/users/":
            return [{"id": 1, "email": None}, {"id": "2", "email": "x@y.org"}]
        if path == "/api/webhooks/":
            return [{"id": 3, "url": None}]
        return {"tasks": rows, "total": len(rows), "active_organization": 1}

    monkeypatch.setattr("annotation_backend.labeling.project.people.ensure_tabs", lambda _project: 0)
    signed_up: list[object] = []
    monkeypatch.setattr("annotation_backend.labeling.project.people.sign_up", lambda *words: signed_up.append(words))
    answer_with(monkeypatch, call)
    upkeep.one_round(is_full=True, tell=told.append)
    assert Annotation.objects.count() == len(tasks)
    assert not signed_up
    assert any("2 row(s) without a number or an address" in line for line in told)
    LabelingProject.objects.get(looked_over_at__isnull=False)


def test_a_clock_that_was_wrong_locks_nobody_out_and_keeps_no_failed_job_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far = timezone.now() + timedelta(days=400)
    row = SignInCount.objects.create(key="account-x", tries=5, locked_until=far)
    require_free([row.key])
    SignInCount.objects.filter(pk=row.pk).update(locked_until=timezone.now() + timedelta(minutes=4))
    with pytest.raises(TooManyTries):
        require_free([row.key])
    monkeypatch.setattr(upkeep, "is_up", lambda: True)
    queue_once(predict_case, case_code="C0001")
    jobs = DBTaskResult.objects.filter(task_path=predict_case.module_path)
    jobs.update(status="FAILED", exception_class_path="x.Y", finished_at=timezone.now())
    upkeep.repeat_failed_jobs()
    assert jobs.count() == 1, "its pause is not over"
    jobs.update(finished_at=far)
    upkeep.repeat_failed_jobs()
    assert jobs.filter(status="READY").count() == 1

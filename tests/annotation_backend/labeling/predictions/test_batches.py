"""Thousands of tasks in one request: ready predictions at once, the rest by a job, and no task harms another."""

import json
import resource
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from annotation_backend.cases.models import Case
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving.initial_masks import initial_masks
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from annotation_backend.labeling.predictions import batches, jobs
from annotation_backend.labeling.predictions.batches import LATER, answer_batch, records_of
from annotation_backend.labeling.predictions.jobs import push_slices
from annotation_backend.registry.models import PromptKind
from datasets.errors import TryAgain
from tests.annotation_backend.support.records import SHAPE, published, registered_case, the_study
from tests.annotation_backend.support.segmenters import BrightSegmenter, drawn_by, known_model

pytestmark = pytest.mark.django_db

PROJECT = 1


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> BrightSegmenter:
    return drawn_by(monkeypatch, BrightSegmenter())


def soon() -> float:
    return time.monotonic() + 1000.0


def queued() -> list[dict[str, Any]]:
    waiting = DBTaskResult.objects.ready().filter(task_path=push_slices.module_path)
    return [row.args_kwargs["kwargs"] for row in waiting.order_by("enqueued_at")]


def test_answers_come_in_the_order_of_the_tasks(segmenter: BrightSegmenter) -> None:
    known_model(kinds=(PromptKind.AUTOMATIC,))
    first = published(registered_case("C0001"), first_task=101)
    second = published(registered_case("C0002"), first_task=201)
    ids = [201, 103, 202, 101, 103]
    answers = answer_batch(records_of(ids, project=PROJECT), deadline=soon())
    assert [bool(answer["result"]) for answer in answers] == [False, True, True, False, True]
    assert answers[1] == answers[4]
    assert answers[1]["result"][0]["id"] == f"tumour{first[2].pk}"
    assert answers[2]["result"][0]["id"] == f"tumour{second[1].pk}"
    assert {answer["model_version"] for answer in answers} == {"bright-1"}
    assert segmenter.asked == [(0, 1), (2, 0)]
    json.dumps(answers)
    assert queued() == []


def test_a_strange_task_harms_no_other(segmenter: BrightSegmenter) -> None:
    known_model(kinds=(PromptKind.AUTOMATIC,))
    published(registered_case("C0001"))
    ids = [102, 999, -5, 0, 2**31, 2**63, 103]
    answers = answer_batch(records_of(ids, project=PROJECT), deadline=soon())
    assert [answer == LATER for answer in answers] == [False, True, True, True, True, True, False]
    assert answer_batch([], deadline=soon()) == []
    assert answer_batch([None, None], deadline=soon()) == [LATER, LATER]
    assert records_of([102], project=77) == [None]


def test_a_case_whose_files_changed_harms_no_other(segmenter: BrightSegmenter) -> None:
    known_model(kinds=(PromptKind.AUTOMATIC,))
    broken = registered_case("C0777")
    published(broken, first_task=101)
    published(registered_case("C0002"), first_task=201)
    (broken.folder / "t1.nii.gz").unlink()
    answers = answer_batch(records_of([101, 202, 102], project=PROJECT), deadline=soon())
    assert [answer == LATER for answer in answers] == [True, False, True]
    assert queued() == [{"slices": {"C0777": [0, 1]}}]


def test_without_time_only_what_is_ready_is_answered_and_the_rest_queued_once(segmenter: BrightSegmenter) -> None:
    model = known_model(kinds=(PromptKind.AUTOMATIC,))
    ready = registered_case("C0001")
    initial_masks(ready, (1, 2), model=model)
    published(ready, first_task=101)
    published(registered_case("C0002"), first_task=201)
    records = records_of([101, 102, 103, 201, 202], project=PROJECT)
    for _ in range(2):
        answers = answer_batch(records, deadline=time.monotonic())
        assert [answer == LATER for answer in answers] == [True, False, False, True, True]
    assert queued() == [{"slices": {"C0001": [0], "C0002": [0, 1]}}]
    assert segmenter.asked == [(1, 2)]


def test_more_than_one_answer_holds_is_pushed(segmenter: BrightSegmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    model = known_model(kinds=(PromptKind.AUTOMATIC,))
    case = registered_case("C0001")
    initial_masks(case, range(5), model=model)
    published(case)
    monkeypatch.setattr(batches, "MOST_CODES", 1)
    answers = answer_batch(records_of([101, 102, 103, 104, 105], project=PROJECT), deadline=soon())
    assert [answer == LATER for answer in answers] == [False, False, True, True, True]
    assert queued() == [{"slices": {"C0001": [2, 3, 4]}}]


def test_the_job_pushes_what_was_not_answered(segmenter: BrightSegmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    from annotation_backend.labeling.studio import shown_predictions

    model = known_model(kinds=(PromptKind.AUTOMATIC,))
    case = registered_case("C0001")
    tasks = published(case)
    calls: list[tuple[str, str, Any]] = []

    def label_studio(verb: str, path: str, **given: Any) -> Any:
        """Task 104 has a prediction, which an open editor may have begun with."""
        calls.append((verb, path, given.get("json")))
        return [{"id": 9}] if verb == "GET" and given["params"] == {"task": 104} else []

    monkeypatch.setattr(shown_predictions, "call", label_studio)
    assert push_slices.func(slices={"C9999": [1], "C0001": [1, 3]}) == 2
    bodies = next(body for _, path, body in calls if path.endswith("/import/predictions"))
    assert [body["task"] for body in bodies] == [102]
    changed = next(body for verb, path, body in calls if (verb, path) == ("PATCH", "/api/predictions/9/"))
    assert changed["result"]
    assert changed["model_version"] == bodies[0]["model_version"]
    assert not any(verb == "DELETE" or "delete" in path for verb, path, _ in calls)
    assert LabelingTask.objects.filter(drawn_by=model).count() == 2
    assert tasks[0].drawn_by is None


def test_a_job_that_was_queued_under_its_former_module_runs(
    segmenter: BrightSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotation_backend.labeling.studio import shown_predictions

    monkeypatch.setattr(shown_predictions, "call", lambda *_args, **_options: [])
    known_model(kinds=(PromptKind.AUTOMATIC,))
    published(registered_case("C0001"))
    row = DBTaskResult.objects.create(
        args_kwargs={"args": [], "kwargs": {"slices": {"C0001": [1, 3]}}},
        task_path="annotation_backend.labeling.batches.push_slices",
        queue_name="default",
        backend_name="default",
        priority=0,
        run_after=timezone.now(),
    )
    Worker(
        queue_names=["default"],
        excluded_queue_names=[],
        interval=0.0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=1,
        worker_id="w",
    ).run()
    row.refresh_from_db()
    assert (row.status, row.return_value) == ("SUCCESSFUL", 2)


def test_the_job_goes_on_later_where_label_studio_is_down(
    segmenter: BrightSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotation_backend.labeling.studio import shown_predictions

    def down(*_words: str, **_given: Any) -> None:
        raise TryAgain("label-studio-down", "Label Studio does not answer.", remedy="Start it.")

    known_model(kinds=(PromptKind.AUTOMATIC,))
    published(registered_case("C0001"))
    monkeypatch.setattr(shown_predictions, "call", down)
    assert push_slices.func(slices={"C0001": [1]}) == 0
    [row] = DBTaskResult.objects.filter(task_path=push_slices.module_path)
    assert row.args_kwargs["kwargs"] == {"slices": {"C0001": [1]}, "attempt": 2}
    assert row.run_after > timezone.now()
    with pytest.raises(TryAgain):
        push_slices.func(slices={"C0001": [1]}, attempt=jobs.MOST_ATTEMPTS)


def test_the_job_lets_others_in_between(segmenter: BrightSegmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PORTION_SECONDS", -1.0)
    assert push_slices.func(slices={"C0001": [1]}) == 0
    assert queued() == [{"slices": {"C0001": [1]}}]


def test_of_a_large_cohort_only_what_nobody_submitted_or_drew_is_queued(segmenter: BrightSegmenter) -> None:
    case = registered_case()
    submitted, drawn_already, *others = published(case)
    LabelingTask.objects.filter(pk=submitted.pk).update(state="annotated")
    LabelingTask.objects.filter(pk=drawn_already.pk).update(drawn_by=known_model("drawn"))
    assert jobs.queue_undrawn(case) == len(others)
    assert jobs.queue_undrawn(case) == len(others)
    [waiting] = DBTaskResult.objects.filter(task_path=push_slices.module_path)
    assert waiting.args_kwargs["kwargs"]["slices"] == {case.code: [task.slice_index for task in others]}


@pytest.mark.slow
def test_ten_thousand_tasks(segmenter: BrightSegmenter, tell_figure: Callable[[str], None]) -> None:
    model = known_model(kinds=(PromptKind.AUTOMATIC,))
    template = registered_case("C0001")
    initial_masks(template, range(5), model=model)
    rows = {row.slice_index: row for row in InitialMask.objects.filter(case=template)}
    project = LabelingProject.objects.create(label_studio_id=PROJECT, title="Test", study=the_study())
    cases = [template, *(_copied(template, number) for number in range(2, 2001))]
    InitialMask.objects.bulk_create(
        InitialMask(
            case=case, slice_index=index, model=model, inputs_sha256=row.inputs_sha256,
            model_version=row.model_version, score=row.score, bits=row.bits, drawn=timezone.now(),
        )
        for case in cases[1:1001]
        for index, row in rows.items()
    )  # fmt: skip
    LabelingTask.objects.bulk_create(
        LabelingTask(project=project, case=case, slice_index=index, label_studio_id=1 + place * SHAPE[2] + index)
        for place, case in enumerate(cases)
        for index in range(SHAPE[2])
    )
    counts = {}
    for tasks in (1_000, 10_000):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.monotonic()
        with CaptureQueriesContext(connection) as queries:
            records = records_of(range(1, tasks + 1), project=PROJECT)
            answers = answer_batch(records, deadline=time.monotonic() + (1000.0 if tasks == 1_000 else 0.0))
        seconds = time.monotonic() - started
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        jobs = len(queued())
        counts[tasks] = len(queries)
        ready = sum(answer != LATER for answer in answers)
        tell_figure(
            f"/predict with {tasks} tasks of {SHAPE[0]} x {SHAPE[1]} pixels: {ready} answered in {seconds:.1f} s, "
            f"{jobs} jobs, {len(queries)} queries, {grown:.0f} MB more"
        )
        assert ready == min(tasks, 5_005)
        assert len(answers) == tasks
    assert counts[10_000] <= 10 * counts[1_000]
    [rest] = queued()
    assert sum(len(indices) for indices in rest["slices"].values()) == 10_000 - 5_005
    assert segmenter.asked == [(0, 1, 2, 3, 4)]


def _copied(template: Case, number: int) -> Case:
    """A case with the template's registration and pictures, for its records alone."""
    code = f"C{number:04}"
    case = Case.objects.create(
        code=code, patient=template.patient, tissue_type="nerve", source_sha256=f"{number:064x}",
        picture_plane=template.picture_plane, study=the_study()
    )  # fmt: skip
    registration = template.registrations.get()
    registration.pk, registration.case = None, case
    registration.save(force_insert=True)
    Case.objects.filter(pk=case.pk).update(images_sha256=template.images_sha256)
    return Case.objects.get(pk=case.pk)

"""The ML backend protocol that Label Studio speaks to us: /health, /setup, /predict, /versions; see also `webhook`."""

import time
from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from annotation_backend.inference.serving.admission import process_admission
from annotation_backend.inference.serving.serving import promoted_model, warm_up
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from annotation_backend.labeling.predictions import interactive
from annotation_backend.labeling.predictions.batches import answer_batch, records_of
from annotation_backend.labeling.saves.store import task_of, unknown_task
from annotation_backend.labeling.studio.credentials import basic_auth
from annotation_backend.labeling.studio.shown_predictions import note_answers
from annotation_backend.labeling.views.request_body import View, errors_answered, json_object, malformed
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.stages.hiding import drawn_without_models
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import find_study
from datasets.errors import RejectedInput

BATCH_SECONDS = 60.0
"""Longest time for a batch; Label Studio waits 100 s."""

NO_MODEL = "none"
"""Version of the model that draws first, in a study that has none."""

_MOST_DIGITS = 19


def label_studio_only(view: View) -> View:
    """Requires Basic auth, compared in constant time; errors of ours become readable answers."""

    answered = errors_answered(view)

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if not constant_time_compare(request.headers.get("Authorization", ""), basic_auth()):
            answer = JsonResponse({"error": "Basic authentication required."}, status=401)
            answer["WWW-Authenticate"] = 'Basic realm="maskloop"'
            return answer
        return answered(request)

    return guarded


@label_studio_only
@require_GET
def health(_request: HttpRequest) -> HttpResponse:
    """Answers at once; loads nothing."""
    return JsonResponse({"status": "UP", "model_class": "Maskloop"})


@label_studio_only
@require_POST
def setup(request: HttpRequest) -> HttpResponse:
    """Names the automatic model that serves, and has the serving models loaded beside it before anyone prompts them.

    Label Studio connects no project to which this answers with an error, so that a study without such a model has none.
    """
    warm_up()
    study = _study_of(_project(json_object(request)))
    try:
        return JsonResponse({"model_version": str(promoted_model(PromptKind.AUTOMATIC, study))})
    except RejectedInput as error:
        if error.code not in ("no-serving-model", "no-prompted-label"):
            raise
        return JsonResponse({"model_version": NO_MODEL})


@label_studio_only
@require_GET
def versions(_request: HttpRequest) -> HttpResponse:
    """Answers Label Studio with the names of all registered models."""
    return JsonResponse({"versions": [str(model) for model in Model.objects.all()]})


@label_studio_only
@require_POST
def predict(request: HttpRequest) -> HttpResponse:
    """Draws on each task, in the order of the tasks; with a context, answers its prompts."""
    body = json_object(request)
    tasks = body.get("tasks")
    if not isinstance(tasks, list):
        raise malformed("a list of tasks")
    context = _context(body)
    project = _project(body)
    if context is not None:
        [task] = _the_open_task(tasks)
        with process_admission().arrival():
            return JsonResponse({"results": [interactive.answer(_task_record(task, project), task, context)]})
    deadline = time.monotonic() + BATCH_SECONDS
    identifiers = [_identifier(task) for task in tasks]
    records = records_of(identifiers, project=project)
    if identifiers and not any(records):
        raise unknown_task(identifiers[0], project)
    _refuse_excluded(records)
    answers = answer_batch(_without_hidden(records), deadline=deadline)
    told = [(task, body) for task, body in zip(records, answers, strict=True) if task and isinstance(body, dict)]
    note_answers([task for task, _ in told], [body for _, body in told])
    return JsonResponse({"results": answers})


def _refuse_excluded(records: Sequence[LabelingTask | None]) -> None:
    """Refuses a request for tasks of excluded cases only; among others they are left without an answer."""
    known = [record.case for record in records if record is not None]
    if known and all(case.exclusion is not None for case in known):
        raise interactive.excluded(known[0])


def _without_hidden(records: Sequence[LabelingTask | None]) -> list[LabelingTask | None]:
    """The tasks without those that are drawn by hand or blind now, which no model draws on."""
    hidden = drawn_without_models({record.case_id: record.case for record in records if record is not None}.values())
    return [None if record is None or record.case_id in hidden else record for record in records]


def _the_open_task(tasks: list[Any]) -> list[Mapping[str, Any]]:
    """The one task that an interactive request is about."""
    if len(tasks) != 1 or not isinstance(tasks[0], Mapping):
        raise malformed("one task with an interactive context")
    return tasks


def _project(body: Mapping[str, Any]) -> int:
    """Label Studio names its project as ``<id>.<seconds>``."""
    number, _, _ = str(body.get("project")).partition(".")
    if not number.isdecimal() or len(number) > _MOST_DIGITS:
        raise malformed("a project named as <id>.<seconds>")
    return int(number)


def _task_record(task: object, project: int) -> LabelingTask:
    return task_of(_identifier(task), project=project)


def _study_of(project: int) -> Study:
    """The study whose project it is in Label Studio; the only one, where the project is not known yet."""
    known = LabelingProject.objects.filter(label_studio_id=project, is_retired=False).select_related("study").first()
    if known is not None:
        return known.study
    if Study.objects.count() > 1:
        raise RejectedInput(
            "project-unknown",
            "The project is that of no study here.",
            remedy="Take this ML backend out of the other project in Label Studio.",
        )
    return find_study(None)


def _identifier(task: object) -> int:
    identifier = task.get("id") if isinstance(task, Mapping) else None
    if isinstance(identifier, bool) or not isinstance(identifier, int):
        raise malformed("tasks with whole numbers as ids")
    return identifier


def _context(body: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """The interactive context's regions; None where the request is not interactive."""
    params = body.get("params")
    context = params.get("context") if isinstance(params, Mapping) else None
    if context is None:
        return None
    regions = context.get("result") if isinstance(context, Mapping) else None
    if not isinstance(regions, list) or not all(isinstance(region, Mapping) for region in regions):
        raise malformed("a context with a list of regions")
    return regions

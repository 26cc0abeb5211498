"""The way into Label Studio from here, and the answers to its door: who has come, and what they may do."""

import re
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from annotation_backend.accounts.models import User
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from annotation_backend.labeling.project.free_slices import claim_if_free
from annotation_backend.labeling.project.places import place_of_project, place_of_task
from annotation_backend.labeling.project.project import current_project
from annotation_backend.labeling.project.studio_account import ensure_account
from annotation_backend.labeling.studio.client import require_up
from annotation_backend.labeling.studio.credentials import door_secret
from annotation_backend.labeling.studio.entries import enter, person_of, ticket_for
from annotation_backend.labeling.studio.permits import (
    administrates,
    may_enter,
    permit_of,
    permits_of,
    projects_of,
    tasks_of,
)
from annotation_backend.labeling.studio.work_seen import keep_sign_of_work
from annotation_backend.labeling.studio_door import surroundings
from annotation_backend.labeling.studio_door.tickets import place_of
from annotation_backend.labeling.views.request_body import errors_answered, json_object, malformed
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page

MOST_TASKS = 10_000
"""In one list of Label Studio's; what is beyond gets no permit."""


@login_required
@require_GET
@never_cache
def studio(request: HttpRequest) -> HttpResponse:
    """Opens Label Studio for the person who is signed in, at the place that they ask for."""
    place = place_of(request.GET.get("place", ""))
    task = _task_at(place)
    _claim(request, task)
    names_no_tab = task is not None and "tab=" not in place
    return _opened(request, place_of_task(task, signed_in_user(request)) if task and names_no_tab else place)


@study_page()
@require_GET
@never_cache
def studio_of_study(request: HttpRequest, study: Study) -> HttpResponse:
    """Opens a study's tasks."""
    project = current_project(study)
    if project is None:
        raise Http404
    return _opened(request, place_of_project(project, signed_in_user(request)))


@study_page()
@require_GET
@never_cache
def studio_of_slice(request: HttpRequest, study: Study, code: str, index: int) -> HttpResponse:
    """Opens one slice's task, which becomes the person's where it is nobody's."""
    tasks = _TASKS.filter(case__study=study, case__code=code, slice_index=index, project__is_retired=False)
    task = tasks.first()
    if task is None:
        raise Http404
    _claim(request, task)
    if not permit_of(signed_in_user(request), task).may_look:
        raise PermissionDenied(
            "This slice is not among your tasks: somebody else has it, or it is not to be drawn now."
        )
    return _opened(request, place_of_task(task, signed_in_user(request)))


_TASKS = LabelingTask.objects.filter(label_studio_id__gt=0).select_related("project__study", "case__study")


def _task_at(place: str) -> LabelingTask | None:
    """The task that a page of Label Studio's shows."""
    found = re.fullmatch(r"/projects/(\d{1,9})/data/?\?(?:.*&)?task=(\d{1,9})(?:&.*)?", place)
    if found is None:
        return None
    project, number = map(int, found.groups())
    tasks = _TASKS.filter(project__label_studio_id=project, project__is_retired=False, label_studio_id=number)
    return tasks.first()


def _claim(request: HttpRequest, task: LabelingTask | None) -> None:
    """Claims a free slice for whoever opens it, unless another site's page had their browser do so."""
    person = signed_in_user(request)
    if task is None or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin", "same-site"):
        return
    if not permit_of(person, task).may_look:
        claim_if_free(person, task)


def _opened(request: HttpRequest, place: str) -> HttpResponse:
    person = signed_in_user(request)
    if not may_enter(person):
        raise PermissionDenied("You have no part in a study yet. A data manager gives you one.")
    require_up()  # a browser that is sent on shows an error of its own, without a remedy
    ensure_account(person)
    ticket = ticket_for(person, str(request.session.session_key), place)
    answer = HttpResponseRedirect(f"{settings.LABEL_STUDIO_URL}/maskloop/enter?ticket={ticket}")
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@csrf_exempt
@errors_answered
@require_POST
def entries(request: HttpRequest) -> HttpResponse:
    """Uses a ticket up: once."""
    if not _is_the_door(request):
        return _stranger()
    body = json_object(request)
    person = enter(str(body.get("entry", "")), _number(body, "person") or 0)
    return _nobody() if person is None else JsonResponse({"email": person.email})


@csrf_exempt
@errors_answered
@require_POST
def permits(request: HttpRequest) -> HttpResponse:
    """Says what the person of an entry may do now; 403 where they are signed out or have no part in a study."""
    if not _is_the_door(request):
        return _stranger()
    body = json_object(request)
    number, project, task = (_number(body, name) for name in ("person", "project", "task"))
    person = person_of(str(body.get("entry", "")), number or 0)
    if person is None or not may_enter(person):
        return _nobody()
    projects = {row.label_studio_id: row for row in projects_of(person)}
    asked = projects.get(project or 0)
    tasks = {} if asked is None else tasks_of(person, asked)
    found = asked and task and LabelingTask.objects.filter(project=asked, label_studio_id=task)
    record = found.select_related("project__study", "case__study").first() if found else None
    permit = permit_of(person, record)
    if record is not None and permit.may_look:
        keep_sign_of_work(person, record)
    return JsonResponse(
        {
            "administrates": administrates(person),
            "projects": sorted(projects),
            "tasks": None if tasks is None else sorted(tasks),
            "alone": sorted(number for number, sees_others in (tasks or {}).items() if not sees_others),
            "permit": permit.as_dict(),
            "each": _each(person, asked, body.get("each")),
        }
    )


def _each(person: User, project: LabelingProject | None, numbers: object) -> dict[int, dict[str, Any]]:
    """The permits of several tasks of a project, by Label Studio's numbers."""
    if project is None or not isinstance(numbers, list):
        return {}
    rows = LabelingTask.objects.filter(project=project, label_studio_id__in=numbers[:MOST_TASKS])
    records = rows.select_related("project__study", "case__study").filter(label_studio_id__gt=0)
    return {row.label_studio_id: permit.as_dict() for row, permit in permits_of(person, records).items()}


def _is_the_door(request: HttpRequest) -> bool:
    return constant_time_compare(request.headers.get(surroundings.HEADER, ""), door_secret())


def _stranger() -> HttpResponse:
    return JsonResponse({"error": f"The header {surroundings.HEADER} is required."}, status=401)


def _nobody() -> HttpResponse:
    return JsonResponse({"error": "Nobody comes in with this.", "code": "door-nobody"}, status=403)


def _number(body: dict[str, object], name: str) -> int | None:
    value = body.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31):
        return value
    raise malformed(f"a number or nothing as {name}")

"""Pages of a slice's versions, and of findings that a person should look at."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.exclusion import require_shown
from annotation_backend.cases.stored.digests import whole_bytes
from annotation_backend.cases.stored.files import picture_file
from annotation_backend.cases.views.cases import png_answer
from annotation_backend.labeling.masks.outlines import BLUE, ORANGE, outlined_png
from annotation_backend.labeling.models import (
    EVIDENCE,
    Annotation,
    AnnotationDeletion,
    AnnotationFinding,
    FindingKind,
    LabelingTask,
    ReceivedBy,
    Restoration,
    StudioChange,
)
from annotation_backend.labeling.versions.decoded_masks import mask_in, stored_masks
from annotation_backend.labeling.versions.doubts import name_annotator, possible_annotators
from annotation_backend.labeling.versions.losses import LOOKERS, findings_for, mark_seen, open_findings
from annotation_backend.labeling.versions.versions import (
    differences,
    is_restorable,
    restore,
    shown_versions,
    task_of_slice,
    version_of,
)
from annotation_backend.labeling.watch.record import mark_change_seen, open_changes
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, study_page
from annotation_backend.studies.people import names_in
from annotation_backend.studies.portions import portion_of
from datasets.errors import MaskloopError, RejectedInput


def of_a_slice(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Gives the view the slice's task; for reviewers, and for annotators of the slice."""

    @wraps(view)
    def guarded(request: HttpRequest, study: Study, code: str, index: int, **kwargs: Any) -> HttpResponse:
        try:
            task = task_of_slice(code, index, study=study)
        except RejectedInput as error:
            raise Http404 from error
        person = signed_in_user(request)
        if not may(request, *LOOKERS) and not _drew_on(task, person):
            raise PermissionDenied("This page is for reviewers, and for annotators of the slice.")
        require_shown(task.case, person)
        try:
            return view(request, task, **kwargs)
        except RejectedInput as error:
            if error.code != "version-unknown":
                raise
            raise Http404 from error

    return guarded


@study_page()
@require_GET
@of_a_slice
def slice_versions(request: HttpRequest, task: LabelingTask) -> HttpResponse:
    """The page of all versions of a slice, the newest first."""
    rows = _rows(task, signed_in_user(request))
    context = {"task": task, "case": task.case, "rows": rows, "task_url": task_url(task)}
    return render(request, "labeling/versions.html", context)


@study_page()
@require_GET
@of_a_slice
def compare_versions(request: HttpRequest, task: LabelingTask, one: int, other: int) -> HttpResponse:
    """Two versions of a slice: both outlines on its picture, and numbers."""
    first, second = (version_of(task, number, person=signed_in_user(request)) for number in (one, other))
    context = {
        "task": task,
        "case": task.case,
        "one": first,
        "other": second,
        "pair": [first, second],
        "differences": differences(first, second),
        "first_label": task.case.protocol.labels[0].name,
        "unreadable": [stored_masks(version).unreadable for version in (first, second)],
        "restorable": [version for version in (first, second) if is_restorable(version)],
        "task_url": task_url(task),
    }
    return render(request, "labeling/compare.html", context)


@study_page()
@require_GET
@of_a_slice
def comparison_picture(request: HttpRequest, task: LabelingTask, one: int, other: int) -> HttpResponse:
    """The slice's picture with a label of one version outlined in blue, of the other in orange."""
    label = request.GET.get("label") or task.case.protocol.labels[0].name
    picture = get_object_or_404(task.case.slices, role=task.case.drawn_role, index=task.slice_index)
    first, second = (
        mask_in(stored_masks(version_of(task, number, person=signed_in_user(request))), label)
        for number in (one, other)
    )
    content = whole_bytes(picture_file(picture))
    return png_answer(request, outlined_png(content, [(first, BLUE), (second, ORANGE)]))


@study_page()
@require_POST
@of_a_slice
def restore_version(request: HttpRequest, task: LabelingTask, number: int) -> HttpResponse:
    """Writes a version back to Label Studio."""
    try:
        person = signed_in_user(request)
        made = restore(version_of(task, number, person=person), person=person).result
    except MaskloopError as error:
        messages.error(request, f"{error.message} {error.remedy}")
    else:
        messages.success(
            request, f"Version {number} is back in Label Studio, as version {made.number if made else '?'}."
        )
    return redirect(page_of(task.case.study, "slice-versions", task.case.code, task.slice_index))


@study_page(*LOOKERS)
@require_GET
def finding_list(request: HttpRequest, study: Study) -> HttpResponse:
    """Findings of the study that nobody has looked at, as far as the person may know of them."""
    portion = portion_of(request, open_findings(study=study, person=signed_in_user(request)))
    context = {"findings": portion.object_list, "portion": portion, "changes": open_changes(study)}
    return render(request, "labeling/findings.html", context)


@study_page(*LOOKERS)
@require_POST
def change_seen(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """Marks a change in Label Studio as looked at."""
    get_object_or_404(StudioChange, project__study=study, pk=pk)
    mark_change_seen(pk, signed_in_user(request))
    messages.success(request, "Written down as seen.")
    return redirect(page_of(study, "finding-list"))


@study_page(*LOOKERS)
@require_POST
def finding_seen(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """Marks a finding as looked at and meant, unless it is about the person's own save."""
    finding = get_object_or_404(findings_for(signed_in_user(request), study), pk=pk)
    if finding.seen_at is not None or mark_seen(AnnotationFinding.objects.filter(pk=pk), signed_in_user(request)):
        said = "they stay left out" if FindingKind(finding.kind).is_of_a_case else "it was meant"
        messages.success(request, f"Written down: {said}.")
    else:
        messages.error(request, "This is about a save of your own: somebody else looks at it, e.g. a data manager.")
    return _back(request, study)


@study_page(Role.DATA_MANAGER)
@require_POST
def finding_annotator(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """A data manager names the annotator of a finding's saves."""
    findings = AnnotationFinding.objects.select_related("annotation__task__case__study")
    finding = get_object_or_404(findings, annotation__task__case__study=study, pk=pk)
    number = request.POST.get("person", "")
    known = number.isascii() and number.isdigit()
    person = get_object_or_404(possible_annotators(study), pk=int(number) if known else 0)
    if request.POST.get("newest") != str(finding.annotation_id):
        messages.error(request, "More saves came in meanwhile. Look at them, then name again.")
        return _back(request, study)
    try:
        count = name_annotator(finding, person, named_by=signed_in_user(request))
        named = names_in(study).get(person.pk, person)
    except RejectedInput as error:
        messages.error(request, f"{error.message} {error.remedy}")
    else:
        messages.success(request, f"Written down: {named} drew {count} save{'' if count == 1 else 's'}.")
    return _back(request, study)


def _back(request: HttpRequest, study: Study) -> HttpResponse:
    back = request.POST.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if safe else page_of(study, "finding-list"))


def task_url(task: LabelingTask) -> str | None:
    """Address at which a person opens the task in Label Studio; None where it is not there now."""
    if task.project.is_retired or task.label_studio_id == 0:
        return None
    return page_of(task.project.study, "studio-of-slice", task.case.code, task.slice_index)


def _drew_on(task: LabelingTask, person: User) -> bool:
    """Whether a person is an annotator of the slice, by Label Studio or a data manager: a name alone can be forged."""
    own = Q(author=person) | Q(named__person=person)
    if person.label_studio_id:
        own |= Q(completed_by=person.label_studio_id) | Q(updated_by=person.label_studio_id)
    return Annotation.objects.filter(own, task=task).proved().exists()


def _rows(task: LabelingTask, person: User) -> list[dict[str, Any]]:
    """The page's row of each version that the person may see, the newest first; a few queries for all of them."""
    saves = shown_versions(task, person)
    proved = set(saves.proved().order_by().values_list("pk", flat=True))
    versions = list(
        saves.select_related("author", "drawn", "confirmation", "named__person")
        .defer("raw", "drawn__bits")
        .order_by("saved_at", "pk")
    )
    current = Annotation.objects.current(task)
    marks = AnnotationDeletion.objects.filter(task=task)
    deleted = set(marks.values_list("project", "label_studio_task", "label_studio_id"))
    restorations = {
        row.result_id: row for row in Restoration.objects.filter(result__task=task).select_related("source", "person")
    }
    findings: dict[int, list[AnnotationFinding]] = {}
    for finding in AnnotationFinding.objects.filter(annotation__in=saves).select_related("seen_by"):
        findings.setdefault(finding.annotation_id, []).append(finding)
    rows = []
    for before, version in zip([None, *versions], versions, strict=False):
        drawn, confirmation = getattr(version, "drawn", None), getattr(version, "confirmation", None)
        rows.append(
            {
                "version": version,
                "before": before,
                "areas": sorted(drawn.areas.items()) if drawn else None,
                "unreadable": drawn.unreadable if drawn else 0,
                "is_current": current is not None and current.pk == version.pk,
                "is_deleted": (version.project_id, version.label_studio_task, version.label_studio_id) in deleted,
                "is_proved": version.pk in proved,
                "is_waiting": version.received_by == ReceivedBy.WEBHOOK and confirmation is None,
                "named": getattr(version, "named", None),
                "evidence": confirmation if confirmation and confirmation.outcome in EVIDENCE else None,
                "restoration": restorations.get(version.pk),
                "findings": findings.get(version.pk, []),
            }
        )
    return rows[::-1]

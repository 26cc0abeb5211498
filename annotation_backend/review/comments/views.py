"""Pages of a case's comments: for who draws, with their answers, and as values for the viewer."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from annotation_backend.accounts.models import User
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.exclusion import require_shown
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.views.versions import task_url
from annotation_backend.review.comments.services import answer, close, pin, shown_comments
from annotation_backend.review.models import MOST_COMMENT, Comment
from annotation_backend.review.readers import READERS
from annotation_backend.review.viewing.masks_shown import require_not_alone
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, study_page
from annotation_backend.studies.people import names_in
from datasets.errors import RejectedInput

_MOST_INDEX = 1 << 20


class PinForm(forms.Form):
    """A comment at a voxel."""

    i = forms.IntegerField(min_value=0, max_value=_MOST_INDEX)
    j = forms.IntegerField(min_value=0, max_value=_MOST_INDEX)
    k = forms.IntegerField(min_value=0, max_value=_MOST_INDEX)
    mask = forms.IntegerField(required=False, min_value=1, max_value=2**31)
    text = forms.CharField(max_length=4 * MOST_COMMENT)


@study_page()
@require_http_methods(["GET", "POST"])
def case_comments(request: HttpRequest, study: Study, code: str) -> HttpResponse:
    """All comments of a case by slice; a new one is pinned by who reviews it."""
    case = get_object_or_404(Case.objects.select_related("study"), study=study, code=code)
    person = signed_in_user(request)
    require_shown(case, person)
    if request.method == "POST":
        return _pinned(request, case)
    threads = _threads(case, person)
    wants_values = request.headers.get("Accept", "").startswith("application/json")
    if wants_values:
        return JsonResponse({"comments": _values(study, threads)})
    tasks = LabelingTask.objects.filter(case=case, slice_index__in=[one.slice_index for one in threads])
    places = {task.slice_index: task_url(task) for task in tasks.select_related("project__study", "case")}
    rows = [{"comment": one, "task": places.get(one.slice_index), "picture": case.drawn_role} for one in threads]
    return render(request, "review/comments.html", {"case": case, "rows": rows, "reviews": may(request, *READERS)})


def _pinned(request: HttpRequest, case: Case) -> HttpResponse:
    """Only who reads reviews pins comments; who draws answers them."""
    if not may(request, *READERS):
        return _refused(RejectedInput("not-a-reader", "Only who reviews pins comments.", remedy="Answer one."), 403)
    require_not_alone(request, case)
    form = PinForm(request.POST)
    if not form.is_valid():
        error = RejectedInput("comment-form", "The comment has no place or no words.", remedy="Click, then write.")
        return _refused(error, 400)
    found = form.cleaned_data
    mask = CaseMask.objects.filter(case=case, pk=found["mask"] or 0).first()
    voxel = (found["i"], found["j"], found["k"])
    try:
        comment = pin(case, signed_in_user(request), voxel=voxel, text=found["text"], mask=mask)
    except RejectedInput as error:
        return _refused(error, 400)
    return JsonResponse({"comments": _values(case.study, [comment])}, status=201)


@study_page()
@require_POST
def answer_comment(request: HttpRequest, study: Study, code: str, pk: int) -> HttpResponse:
    """Takes an answer, a closing, or both."""
    comments = Comment.objects.pinned().select_related("case__study", "mask")
    comment = get_object_or_404(comments, case__study=study, case__code=code, pk=pk)
    person = signed_in_user(request)
    get_object_or_404(shown_comments(comment.case, person), pk=pk)
    require_shown(comment.case, person)
    text = request.POST.get("text", "")
    try:
        if text.strip():
            answer(comment, person, text=text)
        if request.POST.get("action") == "close":
            close(comment, person)
        elif not text.strip():
            raise RejectedInput("comment-empty", "The answer says nothing.", remedy="Write one, or close the comment.")
    except RejectedInput as error:
        messages.error(request, f"{error.message} {error.remedy}")
    else:
        messages.success(request, "Closed." if request.POST.get("action") == "close" else "Your answer is there.")
    return redirect(f"{page_of(study, 'review-comments', code)}#comment-{comment.pk}")


def _threads(case: Case, person: User) -> list[Comment]:
    """The pinned comments of a case that a person may read with their answers, the open ones first; a few queries."""
    shown = shown_comments(case, person)
    rows = shown.filter(answered_to__isnull=True).select_related("author", "closed_by")
    threads = list(rows.prefetch_related(Prefetch("answers", queryset=shown.select_related("author"))))
    return sorted(threads, key=lambda one: (not one.is_open, one.slice_index, one.pk))


def _values(study: Study, threads: list[Comment]) -> list[dict[str, Any]]:
    names = names_in(study)
    return [
        {
            "number": one.pk,
            "voxel": one.voxel,
            "slice": one.slice_index,
            "text": one.text,
            "author": names.get(one.author_id, "unknown"),
            "created": f"{one.created:%-d %B %Y, %H:%M}",
            "isOpen": one.is_open,
            "answers": [
                {"text": each.text, "author": names.get(each.author_id, "unknown")} for each in one.answers.all()
            ],
        }
        for one in threads
    ]


def _refused(error: RejectedInput, status: int) -> HttpResponse:
    values = {"code": error.code, "message": error.message, "remedy": error.remedy}
    return JsonResponse(values, status=status)

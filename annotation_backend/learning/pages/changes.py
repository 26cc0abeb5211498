"""What data managers change on the pages of models: promotion, going back, and when a study trains again."""

from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import View, signed_in_user
from annotation_backend.learning.jobs import ask_for_training
from annotation_backend.learning.models import AskedBy
from annotation_backend.learning.pages.forms import RetrainingForm
from annotation_backend.learning.pages.models import shown_models
from annotation_backend.learning.retraining.rules import change_rules, rules_of
from annotation_backend.learning.runs.promoting import promote_by_grounds
from annotation_backend.registry.models import PromptKind
from annotation_backend.registry.serving_history import go_back
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page
from datasets.errors import RejectedInput


def _named(view: View) -> View:
    """A refusal is answered in words, with its code and what to do, and a way back to the models."""

    @wraps(view)
    def answered(request: HttpRequest, study: Study, **values: Any) -> HttpResponseBase:
        try:
            return view(request, study, **values)
        except RejectedInput as error:
            told = {"error": error, "heading": "Nothing was changed", "back": page_of(study, "model-list")}
            return render(request, "refused.html", told, status=409)

    return answered


@study_page(Role.DATA_MANAGER)
@require_POST
@_named
def promote_model(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """Lets a model serve, by its figures or for the reason that was given."""
    model = get_object_or_404(shown_models(study), pk=pk)
    promoted = promote_by_grounds(
        model,
        study=study,
        kinds=_kinds(request.POST.getlist("kind")) or None,
        label=request.POST.get("label") or None,
        person=signed_in_user(request),
        reason=_plain(request.POST.get("reason", "")),
    )
    kinds = sorted({PromptKind(row.prompt_kind).label for row in promoted})
    messages.success(request, f"{model} answers from the next prediction on: {', '.join(kinds)}.")
    return redirect(page_of(study, "model-list"))


@study_page(Role.DATA_MANAGER)
@require_POST
@_named
def back(request: HttpRequest, study: Study) -> HttpResponse:
    """Lets the model serve again that served a kind of prompts before."""
    [kind] = _kinds([request.POST.get("kind", "")])
    [row] = go_back(
        study,
        kinds=[kind],
        label=request.POST.get("label", ""),
        person=signed_in_user(request),
        reason=_plain(request.POST.get("reason", "")),
    )
    messages.success(request, f"{row.model} answers {kind.label} prompts again, from the next prediction on.")
    return redirect(page_of(study, "model-list"))


@study_page(Role.DATA_MANAGER)
@require_POST
@_named
def retraining(request: HttpRequest, study: Study) -> HttpResponse:
    """Changes when and how the study trains again; asks for a training now, which is as the form says."""
    is_asked = request.POST.get("action") == "now"
    is_changed = (not is_asked or "method" in request.POST) and _changed(request, study)
    if is_asked:
        is_new = ask_for_training(study, AskedBy.BUTTON, person=signed_in_user(request))
        told = "A training was asked for." if is_new else "A training waits already; this was counted with it."
        messages.success(request, f"Settings changed. {told}" if is_changed else told)
    else:
        messages.success(request, "Settings changed." if is_changed else "Nothing to change.")
    return redirect(page_of(study, "model-list"))


def _changed(request: HttpRequest, study: Study) -> bool:
    """Puts the settings of the form in force; whether they differ from those of before.

    Raises:
        RejectedInput: A number is out of range (``retraining-settings``), or the document is no external cohort's.
    """
    form = RetrainingForm(request.POST, request.FILES, bound=rules_of(study).external)
    if not form.is_valid():
        raise RejectedInput(
            "retraining-settings",
            " ".join(f"{form[name].label}: {' '.join(map(str, told))}" for name, told in form.errors.items()),
            remedy="Correct the number; an empty field turns that off.",
        )
    return change_rules(study, form.rules(), person=signed_in_user(request))


def _kinds(words: list[str]) -> list[PromptKind]:
    """Kinds of prompts by their values.

    Raises:
        RejectedInput: One is none (``prompt-kind``).
    """
    if unknown := [word for word in words if word not in PromptKind.values]:
        raise RejectedInput(
            "prompt-kind",
            f"Expected one of {', '.join(PromptKind.values)}, got {unknown[0][:20]!r}.",
            remedy="Load the page again, and choose one there.",
        )
    return [PromptKind(word) for word in words]


def _plain(text: str) -> str:
    """A person's words without characters that no database keeps."""
    return text.replace("\0", "").strip()

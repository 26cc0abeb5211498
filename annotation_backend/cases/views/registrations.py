"""Pages of registrations: the queue of doubts, and one image on another with its checks and verdicts."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.exclusion import CaseClosed, exclude, require_shown, take_back
from annotation_backend.cases.jobs import register_again
from annotation_backend.cases.models import (
    Case,
    RedoState,
    Registration,
    RegistrationRedo,
    VerdictOfRegistration,
    modality_of,
)
from annotation_backend.cases.registration.verdicts import decide_registration, registrations
from annotation_backend.cases.stored.digests import DamagedFile, whole_file
from annotation_backend.cases.stored.files import registered_files
from annotation_backend.cases.views.cases import READERS, png_answer
from annotation_backend.cases.views.forms import ExclusionForm, RedoForm, RegistrationVerdictForm
from annotation_backend.cases.workers.pictures import KINDS, registration_picture, shown_size
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, require_role, study_page
from annotation_backend.studies.portions import portion_of
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_grid
from datasets.pictures.picture_plane import PicturePlane

UNCHECKED = "unchecked"


@study_page(*READERS)
@require_GET
def registration_queue(request: HttpRequest, study: Study) -> HttpResponse:
    """The registrations of one verdict, those to be looked at by default."""
    asked = request.GET.get("verdict", VerdictOfRegistration.LOOK.value)
    choices = [*VerdictOfRegistration.choices, (UNCHECKED, "Not checked")]
    if asked not in dict(choices):
        raise Http404
    portion = portion_of(request, registrations(study, "" if asked == UNCHECKED else asked))
    context = {"registrations": portion.object_list, "portion": portion, "choices": choices, "asked": asked}
    return render(request, "cases/registrations.html", context)


@study_page()
@require_http_methods(["GET", "POST"])
def registration_page(request: HttpRequest, study: Study, code: str, role: str | None = None) -> HttpResponse:
    """Two images one over the other, the checks, and the decisions that a person may take.

    Without a role, the only registration of the case, or the list of them.
    """
    case = get_object_or_404(Case.objects.with_images().select_related("patient"), study=study, code=code)
    status = 200
    if request.method == "POST":
        refusal = _acted(request, case)
        if not refusal:
            return redirect(request.path)
        messages.error(request, refusal)
        status = 409
        case = get_object_or_404(Case.objects.with_images().select_related("patient"), study=study, code=code)
    registration = _shown_registration(case, role)
    from curation.registration.quality import lower_limits

    context = {
        "case": case,
        "exclusion": case.exclusion,
        "may_judge": may(request, *READERS),
        "may_manage": may(request, Role.DATA_MANAGER),
        "registration": registration,
        "others": case.registrations.all(),
        "verdicts": case.registration_verdicts.filter(role=registration.role).order_by("-pk") if registration else [],
        "redo": case.redos.filter(role__in=("", registration.role if registration else "")).order_by("-pk").first(),
        "lower_limits": lower_limits(),
        "verdict_choices": VerdictOfRegistration,
        "redo_form": RedoForm(),
        "exclusion_form": ExclusionForm(),
        **(_shown(request, registration) if registration else {}),
    }
    return render(request, "cases/registration.html", context, status=status)


@study_page()
@require_GET
def registration_slice(request: HttpRequest, study: Study, code: str, role: str, kind: str, index: int) -> HttpResponse:
    """One slice of an image that was moved, of the one that stayed, both in tiles, or the edges of one on the other."""
    case = get_object_or_404(Case.objects.with_images(), study=study, code=code)
    registration = _shown_registration(case, role)
    if kind not in KINDS or registration is None:
        raise Http404
    require_shown(case, signed_in_user(request))
    moving, fixed = (whole_file(stored) for stored in registered_files(registration))
    modalities = modality_of(case, registration.role), modality_of(case, registration.fixed_role)
    try:
        picture = registration_picture((moving, modalities[0]), (fixed, modalities[1]), kind=kind, index=index)
    except RejectedInput as error:
        raise Http404(error.code) from error
    return png_answer(request, picture)


def _shown_registration(case: Case, role: str | None) -> Registration | None:
    """The registration of a role, or the case's only one; None where there are several, or none.

    Raises:
        Http404: The case has no registration of the role.
    """
    rows = [row for row in case.registrations.all() if role in (None, row.role)]
    if role is not None and not rows:
        raise Http404
    return rows[0] if len(rows) == 1 else None


def _shown(request: HttpRequest, registration: Registration) -> dict[str, object]:
    """Template values for showing a slice; the reason instead if the files are damaged."""
    names: dict[str, object] = {"moved": registration.title, "still": registration.fixed_title}
    try:
        require_shown(registration.case, signed_in_user(request))
        _, fixed = (whole_file(stored) for stored in registered_files(registration))
    except (CaseClosed, DamagedFile) as error:
        return names | {"damage": f"{error.message} {error.remedy}"}
    plane = PicturePlane.of(read_grid(fixed))
    asked = request.GET.get("slice", "")
    index = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else plane.slice_count // 2
    width, height = shown_size(plane)
    return names | {
        "index": min(index, plane.slice_count - 1),
        "last": plane.slice_count - 1,
        "width": width,
        "height": height,
        "version": registration.record_sha256[:12],
    }


def _acted(request: HttpRequest, case: Case) -> str:
    """Does the action of a form; returns the reason for a refusal, or nothing."""
    act = _ACTS.get(request.POST.get("action", ""))
    if act is None:
        return "This form is not known here. Load the page and try again."
    roles, do = act
    require_role(request, *roles)
    try:
        return do(request, case)
    except RejectedInput as error:
        return f"{error.message} {error.remedy}"


def _judge(request: HttpRequest, case: Case) -> str:
    form = RegistrationVerdictForm(request.POST)
    if not form.is_valid():
        return "Choose a verdict."
    verdict = VerdictOfRegistration(form.cleaned_data["verdict"])
    decide_registration(
        case,
        signed_in_user(request),
        verdict=verdict,
        record_sha256=form.cleaned_data["record_sha256"],
        comment=form.cleaned_data["comment"],
    )
    messages.success(request, f"{case.code}: {verdict.label.lower()}.")
    return ""


def _redo(request: HttpRequest, case: Case) -> str:
    form = RedoForm(request.POST)
    if not form.is_valid():
        return "Choose a preset and a motion."
    if case.is_annotated:
        return (
            f"Somebody drew on {case.code}: another registration would move the image under the mask. Keep it; or, if "
            "it is wrong, exclude the case."
        )
    if case.redos.filter(state__in=(RedoState.QUEUED, RedoState.RUNNING)).exists():
        return f"{case.code} waits for a worker already."
    redo = RegistrationRedo.objects.create(case=case, person=signed_in_user(request), **form.cleaned_data)
    register_again.enqueue(redo_id=redo.pk)
    messages.success(
        request,
        f"{case.code} will be registered again by a worker; load this page in a minute. "
        "If it still waits then, no worker runs: `manage.py up` starts one.",
    )
    return ""


def _exclude(request: HttpRequest, case: Case) -> str:
    form = ExclusionForm(request.POST)
    exclude(case, reason=form.cleaned_data["reason"] if form.is_valid() else "", person=signed_in_user(request))
    messages.success(request, f"{case.code} is excluded.")
    return ""


def _take_back(request: HttpRequest, case: Case) -> str:
    take_back(case, person=signed_in_user(request))
    messages.success(request, f"{case.code} is in use again.")
    return ""


_MANAGERS = (Role.DATA_MANAGER,)
_ACTS: dict[str, tuple[tuple[Role, ...], Callable[[HttpRequest, Case], str]]] = {
    "judge": (READERS, _judge),
    "redo": (_MANAGERS, _redo),
    "exclude": (_MANAGERS, _exclude),
    "take_back": (_MANAGERS, _take_back),
}

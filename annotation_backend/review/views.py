"""Pages for radiologists: the queue, a case's slices with its images and mask, and the verdict."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import roles_required, signed_in_user
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import damages, whole_bytes
from annotation_backend.cases.stored.files import picture_file
from annotation_backend.cases.views.cases import png_answer
from annotation_backend.labeling.masks.outlines import ORANGE, outlined_png
from annotation_backend.labeling.models import CaseMask, TaskState
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.review.forms import VerdictForm
from annotation_backend.review.models import Review, Verdict, latest_review
from annotation_backend.review.overlay import mask_on_slice
from annotation_backend.review.seen import seen_now
from annotation_backend.review.services import decide, queue, require_reviewable
from annotation_backend.studies.services import find_study
from datasets.errors import RejectedInput

READERS = (Role.RADIOLOGIST, Role.DATA_MANAGER)


@roles_required(*READERS)
@require_GET
def review_queue(request: HttpRequest) -> HttpResponse:
    """All cases with a mask, the waiting ones first."""
    return render(request, "review/queue.html", {"entries": queue(find_study(None))})


@roles_required(*READERS)
@require_http_methods(["GET", "POST"])
def review_case(request: HttpRequest, code: str) -> HttpResponse:
    """One case: its slices in every image with the mask's outline, and the verdict form."""
    case = get_object_or_404(Case, code=code)
    form = VerdictForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        well_formed = form.is_valid()
        number = form.cleaned_data.get("mask")
        shown = get_object_or_404(CaseMask, pk=number, case=case) if number else None
        if well_formed and shown and _decided(request, form, shown):
            return redirect("review-queue")
        status = 409 if well_formed else 400
    context = {
        "case": case,
        "damages": damages(case),
        "form": form,
        "roles": case.roles,
        "plane": picture_plane(case) if case.picture_plane else None,
        "indices": sorted(set(case.slices.values_list("index", flat=True))),
        "reviews": Review.objects.filter(mask__case=case).select_related("reviewer", "end"),
        "returned_count": case.labeling_tasks.filter(state=TaskState.RETURNED).count(),
        "is_radiologist": signed_in_user(request).has_role(Role.RADIOLOGIST),
        **_standing(case),
    }
    return render(request, "review/case.html", context, status=status)


@roles_required(*READERS)
@require_GET
def slice_with_mask(request: HttpRequest, mask_id: int, role: str, index: int) -> HttpResponse:
    """A slice's picture with the mask's outline."""
    mask = get_object_or_404(CaseMask.objects.select_related("case"), pk=mask_id)
    picture = get_object_or_404(mask.case.slices.select_related("case"), role=role, index=index)
    shown = whole_bytes(picture_file(picture))
    inside = mask_on_slice(mask_file(mask), plane=picture_plane(mask.case), index=index)
    return png_answer(request, outlined_png(shown, [(inside, ORANGE)]))


def _standing(case: Case) -> dict[str, object]:
    """The mask that counts, the digest of the page's content, and whether the case takes a verdict now."""
    if not case.is_registered:
        return {}
    seen = seen_now(case)
    mask, review = seen.standing.mask, latest_review(case)
    return {
        "mask": mask,
        "is_to_be_assembled": seen.standing.is_to_be_assembled,
        "seen": seen.sha256,
        "review": review,
        "is_decided": mask is not None and review is not None and review.holds_on(mask),
        "refusal": _why_unreviewable(case),
    }


def _why_unreviewable(case: Case) -> str:
    """Why the case takes no verdict, or nothing."""
    try:
        require_reviewable(case)
    except RejectedInput as error:
        return f"{error.message} {error.remedy}"
    return ""


def _decided(request: HttpRequest, form: VerdictForm, mask: CaseMask) -> bool:
    try:
        review = decide(
            mask,
            signed_in_user(request),
            verdict=Verdict(form.cleaned_data["verdict"]),
            quality_score=form.score(),
            comment=form.cleaned_data["comment"],
            accepts_unannotated=form.cleaned_data["accepts_unannotated"],
            seen_sha256=form.cleaned_data["seen"],
        )
    except RejectedInput as error:
        form.add_error(None, f"{error.message} {error.remedy}")
        return False
    outcome = "is approved" if review.verdict == Verdict.APPROVE else "was returned to the annotator"
    messages.success(request, f"{mask.case.code} {outcome}.")
    return True

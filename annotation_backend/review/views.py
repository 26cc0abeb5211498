"""Pages for radiologists: the queue, a case's slices with T1, T2 and mask, and the verdict."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import roles_required, signed_in_user
from annotation_backend.cases.models import Case
from annotation_backend.cases.services import picture_plane
from annotation_backend.labeling.models import CaseMask, TaskState
from annotation_backend.review.forms import VerdictForm
from annotation_backend.review.models import Review, Verdict
from annotation_backend.review.overlay import outlined_png
from annotation_backend.review.services import decide, newest_mask, queue
from datasets.case import SeriesRole
from datasets.errors import RejectedInput

READERS = (Role.RADIOLOGIST, Role.DATA_MANAGER)


@roles_required(*READERS)
@require_GET
def review_queue(request: HttpRequest) -> HttpResponse:
    """All cases with a mask, the waiting ones first."""
    return render(request, "review/queue.html", {"entries": queue()})


@roles_required(*READERS)
@require_http_methods(["GET", "POST"])
def review_case(request: HttpRequest, code: str) -> HttpResponse:
    """One case: its slices with T1, T2 and the mask's outline, and the verdict form."""
    case = get_object_or_404(Case, code=code)
    mask = newest_mask(case)
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
        "mask": mask,
        "form": form,
        "roles": list(SeriesRole),
        "plane": picture_plane(case) if case.picture_plane else None,
        "indices": sorted(set(case.slices.values_list("index", flat=True))),
        "reviews": Review.objects.filter(mask__case=case).select_related("reviewer"),
        "returned_count": case.labeling_tasks.filter(state=TaskState.RETURNED).count(),
        "may_decide": signed_in_user(request).has_role(Role.RADIOLOGIST) and not (mask and mask.reviews.exists()),
    }
    return render(request, "review/case.html", context, status=status)


@roles_required(*READERS)
@require_GET
def slice_with_mask(request: HttpRequest, mask_id: int, role: str, index: int) -> HttpResponse:
    """A slice's picture with the mask's outline."""
    mask = get_object_or_404(CaseMask, pk=mask_id)
    picture = get_object_or_404(mask.case.slices, role=role, index=index)
    png = outlined_png(picture.path, mask.path, plane=picture_plane(mask.case), index=index)
    answer = HttpResponse(png, content_type="image/png")
    answer["Cache-Control"] = "private, max-age=3600"
    return answer


def _decided(request: HttpRequest, form: VerdictForm, mask: CaseMask) -> bool:
    try:
        review = decide(
            mask,
            signed_in_user(request),
            verdict=Verdict(form.cleaned_data["verdict"]),
            quality_score=form.score(),
            comment=form.cleaned_data["comment"],
            accepts_unannotated=form.cleaned_data["accepts_unannotated"],
        )
    except RejectedInput as error:
        form.add_error(None, f"{error.message} {error.remedy}")
        return False
    outcome = "is approved" if review.verdict == Verdict.APPROVE else "was returned to the annotator"
    messages.success(request, f"{mask.case.code} {outcome}.")
    return True

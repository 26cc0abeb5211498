"""Pages for radiologists: the queue, a case's slices with their images and mask, and the verdict."""

import json
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import DamagedFile, damages, whole_bytes
from annotation_backend.cases.stored.files import picture_file
from annotation_backend.cases.views.cases import png_answer
from annotation_backend.history.models import EventKind
from annotation_backend.history.recording import record
from annotation_backend.labeling.masks.outlines import colour_of, outlined_png
from annotation_backend.labeling.models import CaseMask, TaskState
from annotation_backend.labeling.versions.losses import open_findings
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.review.forms import VerdictForm, outcome_of, where_verdicts_lead
from annotation_backend.review.models import Verdict, latest_review
from annotation_backend.review.queue_order import QueueOrder, order_of, waiting_first
from annotation_backend.review.readers import READERS
from annotation_backend.review.seen import seen_now
from annotation_backend.review.services import decide, entries_of, next_waiting, require_reviewable
from annotation_backend.review.signals import case_opened
from annotation_backend.review.verdict_stages import is_decided_for, open_review, shown_reviews, why_not_theirs
from annotation_backend.review.viewing.masks_shown import mask_shown, require_not_alone
from annotation_backend.review.viewing.overlays import OverlayKind, overlays_of
from annotation_backend.review.viewing.page import KEYS, VIEWS, viewer_values
from annotation_backend.review.viewing.slice_outlines import ShownLabel, colour_in, labels_on_slice, shown_labels
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, study_page
from annotation_backend.studies.portions import portion_of
from datasets.errors import RejectedInput


@study_page(*READERS)
@require_GET
def review_queue(request: HttpRequest, study: Study) -> HttpResponse:
    """The cases of the study with a mask, those that wait first; ``?order=`` says in which order (`QueueOrder`)."""
    order = order_of(request.GET.get("order", ""))
    portion = portion_of(request, waiting_first(study, order).select_related("study"))
    entries = entries_of(portion.object_list)
    context = {
        "entries": entries,
        "cases": [entry.case for entry in entries],
        "portion": portion,
        "orders": QueueOrder.choices,
        "order": order,
        "in_order": _words_of(order),
    }
    return render(request, "review/queue.html", context)


@study_page(*READERS)
@require_http_methods(["GET", "POST"])
def review_case(request: HttpRequest, study: Study, code: str) -> HttpResponse:
    """One case: its slices with every image and the mask's outline, and the verdict form."""
    case = get_object_or_404(Case.objects.with_images(), study=study, code=code)
    require_not_alone(request, case)
    form = VerdictForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        well_formed = form.is_valid()
        number = form.cleaned_data.get("mask")
        shown = get_object_or_404(CaseMask, pk=number, case=case) if number else None
        if well_formed and shown and _decided(request, form, shown):
            return _to_next(request, study, case)
        status = 409 if well_formed else 400
    if request.method == "GET":
        record(EventKind.PAGE_OPENED, signed_in_user(request), case=case, detail={"page": "review"})
    context = {
        "case": case,
        "damages": damages(case),
        "form": form,
        "images": _images(case),
        "plane": picture_plane(case) if case.picture_plane else None,
        "indices": sorted(set(case.slices.values_list("index", flat=True))),
        "reviews": shown_reviews(case, signed_in_user(request)),
        "returned_count": case.labeling_tasks.filter(state=TaskState.RETURNED).count(),
        "is_radiologist": may(request, Role.RADIOLOGIST),
        "in_order": _words_of(order_of(request.GET.get("order", ""))),
        **_standing(case, signed_in_user(request)),
    }
    context |= _viewer(request, case, cast(CaseMask | None, context.get("mask")))
    if (mask := context.get("mask")) and not context["is_to_be_assembled"]:
        shown_now = {"case": case, "mask": mask, "seen_sha256": context["seen"]}
        case_opened.send(sender=Case, person=signed_in_user(request), **shown_now)
    return render(request, "review/case.html", context, status=status)


@study_page(*READERS)
@require_GET
def next_case(request: HttpRequest, study: Study, code: str) -> HttpResponse:
    """Leads to the case that waits after this one, or to the queue where none does."""
    return _to_next(request, study, get_object_or_404(Case, study=study, code=code))


@study_page(*READERS)
@require_GET
def slice_with_mask(request: HttpRequest, study: Study, mask_id: int, role: str, index: int) -> HttpResponse:
    """A slice's picture with the outline of each of the mask's labels in the label's colour."""
    mask = mask_shown(request, study, mask_id)
    picture = get_object_or_404(mask.case.slices.select_related("case"), role=role, index=index)
    shown = whole_bytes(picture_file(picture))
    found = labels_on_slice(mask_file(mask), mask.label_names, plane=picture_plane(mask.case), index=index)
    protocol = mask.case.protocol
    outlines = [(inside, colour_of(colour_in(protocol, name))) for name, inside in found.items()]
    return png_answer(request, outlined_png(shown, outlines))


def _viewer(request: HttpRequest, case: Case, mask: CaseMask | None) -> dict[str, object]:
    """What the viewer shows, and whether the person may correct the mask in it."""
    row = open_review(case)
    stage = row.rules if row is not None else None
    overlays = overlays_of(case, mask, person=signed_in_user(request), is_blind=stage is not None and stage.is_blind)
    viewer = viewer_values(case, mask, overlays)
    found = open_findings(case, person=signed_in_user(request)).values_list("annotation__task__slice_index", flat=True)
    return {
        **where_verdicts_lead(case, stage),
        "not_theirs": why_not_theirs(row, signed_in_user(request)),
        "viewer": viewer,
        "viewer_json": json.dumps(viewer),
        "overlays": [one for one in overlays if one.kind is not OverlayKind.UNCERTAINTY],
        "unsure": [one for one in overlays if one.kind is OverlayKind.UNCERTAINTY],
        "views": VIEWS,
        "keys": KEYS,
        "finding_slices": " ".join(str(index) for index in sorted(set(found))),
        "may_correct": stage is not None and stage.may_correct and may(request, Role(stage.done_by)),
        "largest_correction": f"{stage.largest_correction:.0%}" if stage is not None else "",
    }


def _to_next(request: HttpRequest, study: Study, case: Case) -> HttpResponse:
    order = order_of(request.GET.get("order", ""))
    following = next_waiting(study, signed_in_user(request), after=case, order=order)
    where = page_of(study, "review-queue") if following is None else page_of(study, "review-case", following.code)
    return redirect(where + _words_of(order))


def _words_of(order: QueueOrder) -> str:
    """What the address of the queue or a case says of the order in which one goes on; nothing of the usual one."""
    return "" if order is QueueOrder.CODE else f"?order={order.value}"


def _images(case: Case) -> dict[str, str]:
    """The images of the case's pictures in the order of the protocol, with their titles."""
    pictured = set(case.slices.values_list("role", flat=True))
    return {image.name: image.title for image in case.protocol.images if image.name in pictured}


def _standing(case: Case, person: User) -> dict[str, object]:
    """The mask that counts, the digest of the page's content, and whether the case takes a verdict now."""
    if not case.is_registered:
        return {}
    seen = seen_now(case)
    mask, review = seen.standing.mask, latest_review(case)
    if review not in shown_reviews(case, person):
        review = None  # another reader's of a blind stage: not even that it ended is told
    return {
        "mask": mask,
        "labels": _legend(mask),
        "is_to_be_assembled": seen.standing.is_to_be_assembled,
        "seen": seen.sha256,
        "review": review,
        "is_decided": is_decided_for(mask, person),
        "refusal": _why_unreviewable(case),
    }


def _legend(mask: CaseMask | None) -> list[ShownLabel]:
    """The mask's labels with their colours and volumes; none of a damaged mask, which the page names."""
    try:
        return [] if mask is None else shown_labels(mask, mask.case.protocol)
    except DamagedFile:
        return []


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
    messages.success(request, f"{mask.case.code} {outcome_of(review)}.")
    return True

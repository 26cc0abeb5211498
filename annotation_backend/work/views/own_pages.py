"""Pages of one's own work: what is to be done, the next slice, the next review, and each piece's buttons."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import Case
from annotation_backend.labeling.views.versions import task_url
from annotation_backend.review.queue_order import QueueOrder
from annotation_backend.stages.assigning import give_back, renew
from annotation_backend.stages.models import Assignment, AssignmentState
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, study_page
from annotation_backend.studies.people import role_in, studies_of
from annotation_backend.work import digests
from annotation_backend.work.own import OwnPiece, done_pieces, own_pieces, waiting_reviews
from annotation_backend.work.taking.claiming import claim_next, next_review
from annotation_backend.work.taking.handing_in import hand_in_drawing
from annotation_backend.work.taking.orders import Order
from annotation_backend.work.views.forms import order_of
from datasets.errors import RejectedInput
from datasets.study.stage import StageWork


@login_required
@require_GET
def landing(request: HttpRequest) -> HttpResponse:
    """Where one comes after signing in: an annotator of one study to their work there, everybody else to the start.

    Who comes from a task in Label Studio, which names its case, comes to their work in the case's study.
    """
    person = signed_in_user(request)
    if code := request.GET.get("case", "")[:60].replace("\0", ""):
        theirs = studies_of(person).filter(pk__in=Case.objects.filter(code=code).values("study")).first()
        if theirs is not None:
            return redirect(page_of(theirs, "my-work"))
    studies = list(studies_of(person)[:2])
    if len(studies) == 1 and role_in(studies[0], person) == Role.ANNOTATOR:
        return redirect(page_of(studies[0], "my-work"))
    return redirect(reverse("home"))


@study_page()
@require_http_methods(["GET", "POST"])
def my_work(request: HttpRequest, study: Study) -> HttpResponse:
    """A person's own work in the study."""
    person = signed_in_user(request)
    if request.method == "POST":
        digests.choose(person, is_wanted=request.POST.get("digests") == "on")
        messages.success(request, "Noted.")
        return redirect(page_of(study, "my-work"))
    pieces = own_pieces(study, person)
    context = {
        "pieces": [(piece, _address_of(piece)) for piece in pieces],
        "next": next(((piece, address) for piece in pieces if (address := _address_of(piece))), None),
        "done": done_pieces(study, person),
        "reviews": waiting_reviews(study, person),
        "draws": any(_is_theirs(request, stage.done_by) and stage.draws for stage in study.protocol.steps),
        "reviews_here": any(_is_theirs(request, stage.done_by) and not stage.draws for stage in study.protocol.steps),
        "orders": Order.choices,
        "order": order_of(request.GET.get("order", "")),
        "sends_digests": digests.is_on(),
        "wants_digests": digests.wants_digests(person),
    }
    return render(request, "work/my_work.html", context)


@study_page()
@require_POST
def next_slice(request: HttpRequest, study: Study) -> HttpResponse:
    """Opens the next slice of one's own work in Label Studio; claims a piece where nothing is to be done."""
    person = signed_in_user(request)
    try:
        if not any(_address_of(piece) for piece in own_pieces(study, person)):
            claim_next(study, person, order=order_of(request.POST.get("order", "")))
    except RejectedInput as error:
        messages.info(request, f"{error.message} {error.remedy}")
        return redirect(page_of(study, "my-work"))
    found = next(((piece, at) for piece in own_pieces(study, person) if (at := _address_of(piece))), None)
    if found is None:
        return redirect(page_of(study, "my-work"))
    # a page that leads on: a form's answer may not redirect to another origin
    return render(request, "work/go.html", {"piece": found[0], "address": found[1]})


@study_page()
@require_POST
def next_case(request: HttpRequest, study: Study) -> HttpResponse:
    """Opens the next case that waits for one's review."""
    order, after = order_of(request.POST.get("order", "")), request.POST.get("after", "")[:60].replace("\0", "")
    try:
        found = next_review(study, signed_in_user(request), order=order, after=after)
    except RejectedInput as error:
        messages.info(request, f"{error.message} {error.remedy}")
        return redirect(page_of(study, "my-work"))
    messages.info(request, f"{found.row.case.code}: {found.why}.")
    decides = found.row.rules is not None and found.row.rules.does is StageWork.ADJUDICATE
    if decides:
        return redirect(page_of(study, "adjudication", found.row.case.code))
    goes_on = f"?order={QueueOrder.UNCERTAINTY.value}" if order is Order.UNCERTAINTY else ""
    return redirect(page_of(study, "review-case", found.row.case.code) + goes_on)


@study_page()
@require_POST
def own_piece(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """Renews, gives back or hands in a piece of one's own work."""
    own = Assignment.objects.filter(person=signed_in_user(request), row__case__study=study)
    assignment = get_object_or_404(own.select_related("row__case__study"), pk=pk)
    try:
        messages.success(request, _done(assignment, request.POST.get("action", "")))
    except RejectedInput as error:
        messages.error(request, f"{error.message} {error.remedy}")
    return redirect(page_of(study, "my-work"))


def _done(assignment: Assignment, action: str) -> str:
    code = assignment.row.case.code
    if action == "hand-in":
        opened = hand_in_drawing(assignment)
        words = "; what comes next was opened" if opened else ""
        return f"{code} is handed in{words}."
    if action == "give-back":
        give_back(assignment)
        return f"{code} is given back; what you drew stays."
    if action == "renew" and renew(assignment):
        return f"{code} is yours for the whole time again."
    raise RejectedInput("work-action", "Nothing was changed.", remedy="Load the page; the piece may have ended.")


def _address_of(piece: OwnPiece) -> str:
    """Where the piece goes on: its next slice in Label Studio; empty where nothing is left to draw."""
    if piece.assignment.state != AssignmentState.OPEN or piece.next_task is None:
        return ""
    return task_url(piece.next_task) or ""


def _is_theirs(request: HttpRequest, done_by: str) -> bool:
    return done_by in Role.values and may(request, Role(done_by))

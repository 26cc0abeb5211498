"""What is next for a person in a study, and taking it: a claim with a lease, or a review that waits for anybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.models import latest_review
from annotation_backend.stages.assigning import assign, lapse, require_may_do
from annotation_backend.stages.flow import lock
from annotation_backend.stages.models import (
    WHOLE_CASE,
    AssignedSlice,
    Assignment,
    AssignmentState,
    CaseStage,
    StageState,
)
from annotation_backend.stages.signals import next_wanted, work_asked
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import roles_in
from annotation_backend.work.taking.orders import Order, in_order, why_next
from annotation_backend.work.taking.pieces import piece_for
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy, Stage, StageWork, WantedSlices

MOST_LOOKED_AT = 200
"""Cases that are looked at for one that has something free; as many that are all held by others are not met."""

_PASSING = {"slice-taken", "stage-closed", "stage-drew-before", "stage-not-theirs", "case-excluded"}
"""Refusals of one case; the next one is tried."""


@dataclass(frozen=True)
class NextReview:
    """A case that waits for a person's review, and why it is next."""

    row: CaseStage
    why: str


def claim_next(study: Study, person: User, *, order: Order = Order.PATIENT) -> Assignment:
    """Takes the next piece of drawing work that a person may do.

    Args:
        study: The study.
        person: Who works.
        order: What comes first.

    Raises:
        RejectedInput: Nothing is free (``nothing-to-do``), or the person gets no work now, as an app above says.
    """
    lapse(study=study)
    stages = _stages_for(study, person, draws=True)
    free = {name: stage for name, stage in stages.items() if stage.assignment in (AssignedBy.CLAIM, AssignedBy.OPEN)}
    for place, row in enumerate(in_order(_open_to(study, person, free), order, study=study)[:MOST_LOOKED_AT]):
        work_asked.send(sender=CaseStage, row=row, person=person)
        instead = None if place else _control_instead(row, free[row.stage], person, order)
        if instead is not None:
            return instead
        try:
            claim = _claim(row, free[row.stage], person, why_next(row, order))
        except RejectedInput as error:
            if error.code not in _PASSING:
                raise
            continue
        if claim is not None:
            return claim
    raise RejectedInput(
        "nothing-to-do", "There is nothing free to draw now.", remedy="Look again later, or ask a data manager."
    )


def _control_instead(row: CaseStage, stage: Stage, person: User, order: Order) -> Assignment | None:
    """A control case in place of a piece, as an app above says; it says why it is next as other work does."""
    answers = next_wanted.send(sender=CaseStage, person=person, study=row.case.study, stage=stage)
    found = [cast(object, answer) for _, answer in answers]
    given = next((answer for answer in found if isinstance(answer, Assignment)), None)
    if given is not None:
        # in the words of the piece that it stands for: its own case was estimated and compared long ago
        is_estimated = getattr(row, "estimate", None) is not None
        words = why_next(row if is_estimated else given.row, order)
        given.why = ". ".join(filter(None, (words, given.why)))[:200]
        given.save(update_fields=["why"])
    return given


def next_review(study: Study, person: User, *, order: Order = Order.PATIENT, after: str = "") -> NextReview:
    """The next case that a person may review: first what is assigned to them, then what waits for anybody.

    Args:
        study: The study.
        person: Who reviews.
        order: What comes first.
        after: Code of a case that is passed over.

    Raises:
        RejectedInput: None waits (``nothing-to-review``).
    """
    lapse(study=study)
    stages = _stages_for(study, person, draws=False)
    own = Assignment.objects.filter(
        person=person,
        state=AssignmentState.OPEN,
        row__case__in=Case.objects.not_excluded().filter(study=study),
        row__stage__in=stages,
    ).exclude(row__case__code=after)
    mine = own.select_related("row__case__patient", "row__case__study").order_by("pk").first()
    if mine is not None:
        return NextReview(mine.row, mine.why or "It is assigned to you")
    free = {name: stage for name, stage in stages.items() if stage.assignment in (AssignedBy.CLAIM, AssignedBy.OPEN)}
    for row in in_order(_open_to(study, person, free).exclude(case__code=after), order, study=study)[:MOST_LOOKED_AT]:
        if _waits_for(row, free[row.stage], person):
            why = why_next(row, order)
            if free[row.stage].assignment is AssignedBy.CLAIM:
                try:
                    assign(row, person, how=AssignedBy.CLAIM, why=why)
                except RejectedInput:
                    continue
            return NextReview(row, why)
    raise RejectedInput("nothing-to-review", "No case waits for your review now.", remedy="Look again later.")


def _claim(row: CaseStage, stage: Stage, person: User, why: str) -> Assignment | None:
    """Takes what is free of a stage of a case; whoever asks at the same moment waits, and takes what is left."""
    with transaction.atomic():
        lock(row.case)
        piece = piece_for(row, stage, person)
        if piece is None:
            return None
        words = ". ".join(filter(None, (why, piece.words)))
        return assign(row, person, piece.slices, how=AssignedBy.CLAIM, why=words, begins_at=piece.begins_at)


def _stages_for(study: Study, person: User, *, draws: bool) -> Mapping[str, Stage]:
    """The stages of a study's protocol that a person's roles allow."""
    roles = roles_in(study, person)
    return {
        stage.name: stage
        for stage in study.protocol.steps
        if stage.draws is draws and not stage.is_automatic and Role(stage.done_by) in roles
    }


def _open_to(study: Study, person: User, stages: Mapping[str, Stage]) -> QuerySet[CaseStage]:
    """Open stages of cases in use that the person has no open part of; nor, where one person has all of it, another.

    Where all slices that are free are one piece, what matters is that some are: people open single ones, too.
    """
    cases = Case.objects.in_use().filter(study=study)
    rows = CaseStage.objects.filter(case__in=cases, stage__in=stages, state=StageState.OPEN)
    busy = Assignment.objects.filter(row=OuterRef("pk"), state=AssignmentState.OPEN)
    singly = [name for name, stage in stages.items() if _takes_what_is_free(stage)]
    rows = rows.exclude(Exists(busy.filter(person=person)), ~Q(stage__in=singly))
    one_has_all = [name for name, stage in stages.items() if stage.readers == 1 and not stage.piece]
    rows = rows.exclude(Exists(busy), Q(stage__in=one_has_all) & ~Q(stage__in=singly))
    rows = rows.exclude(~Exists(_free_tasks()), stage__in=singly)
    return rows.select_related("case__study", "case__patient")


def _takes_what_is_free(stage: Stage) -> bool:
    return (
        stage.draws
        and stage.readers == 1
        and not stage.piece
        and stage.unit == "slice"
        and (stage.slices is WantedSlices.ALL)
    )


def _free_tasks() -> QuerySet[LabelingTask]:
    """Tasks of a stage's case whose slices nobody has."""
    held = AssignedSlice.objects.filter(
        Q(slice_index=OuterRef("slice_index")) | Q(slice_index=WHOLE_CASE), row=OuterRef(OuterRef("pk")), is_held=True
    )
    tasks = LabelingTask.objects.filter(case=OuterRef("case"), project__is_retired=False, label_studio_id__gt=0)
    return tasks.filter(~Exists(held))


def _waits_for(row: CaseStage, stage: Stage, person: User) -> bool:
    """Whether a review stage's case has a mask that waits for this person's verdict."""
    try:
        require_may_do(row, person)
    except RejectedInput:
        return False
    if stage.does is not StageWork.REVIEW:
        return True
    mask, latest = standing_of(row.case).mask, latest_review(row.case)
    if mask is None or mask.is_drawn_by(person):
        return False
    if latest is None or not latest.holds_on(mask):
        return True
    return latest.row_id != row.pk or (stage.readers > 1 and not _gave(row, person))


def _gave(row: CaseStage, person: User) -> bool:
    return row.reviews.filter(reviewer=person, end__isnull=True).exists()

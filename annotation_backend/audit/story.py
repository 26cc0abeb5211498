"""A case's story: what happened to it from its ingest on, in the order of time, for people of its study."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q
from django.db.models.functions import TruncDate

from annotation_backend.cases.models import Case, VerdictOfRegistration, title_of
from annotation_backend.labeling.models import Annotation, Correction
from annotation_backend.publishing.models import ErratumStep, ReleasedCase
from annotation_backend.review.models import Review, Verdict
from annotation_backend.stages.models import Assignment, AssignmentState, StageState, Transition


@dataclass(frozen=True)
class Step:
    """One step of a story.

    Args:
        at: When it happened.
        words: What happened.
        person: The number of who did it; None for nobody in particular.
        comment: What they said.
    """

    at: datetime
    words: str
    person: int | None = None
    comment: str = ""


def story_of(case: Case, *, is_reader: bool, is_manager: bool) -> list[Step]:
    """The steps of a case's story, the first one first; a constant number of queries.

    Args:
        case: The case.
        is_reader: Whether it is told to somebody who reviews or manages, who may read every comment. Annotators read
            those of returns.
        is_manager: Whether it is told to a data manager, who also sees who drew in a reading that goes on, and control
            cases. Readers do not hear of each other meanwhile, and nobody else that a case serves as a control.
    """
    steps = [
        Step(case.created, "Came in"),
        *_registered(case),
        *_exclusions(case),
        *_stages(case, is_manager=is_manager),
        *_work(case, is_manager=is_manager),
        *_drawn(case, is_manager=is_manager),
        *_verdicts(case, is_reader=is_reader, is_manager=is_manager),
        *_released(case),
    ]
    return sorted(steps, key=lambda step: step.at)


def _registered(case: Case) -> Iterator[Step]:
    for row in case.registrations.all():
        yield Step(row.created, f"{title_of(case, row.role)} registered")
    for verdict in case.registration_verdicts.all():
        words = (
            f"Registration of {title_of(case, verdict.role)}: {VerdictOfRegistration(verdict.verdict).label.lower()}"
        )
        yield Step(verdict.created, words, verdict.person_id, verdict.comment)


def _released(case: Case) -> Iterator[Step]:
    """Releases that hold it, what each calls it, and faults that their readers found."""
    for row in ReleasedCase.objects.filter(case=case).select_related("release"):
        yield Step(row.release.created, f"In release {row.release} as {row.code}")
    for step in ErratumStep.objects.filter(erratum__case=case).select_related("erratum", "release"):
        where = f" in {step.release}" if step.release else ""
        yield Step(step.created, f"Erratum {step.erratum.number} {step.state}{where}", step.person_id, step.words)


def _exclusions(case: Case) -> Iterator[Step]:
    for row in case.exclusions.all():
        yield Step(row.created, "Excluded", row.person_id, row.reason)
        if row.ended is not None:
            yield Step(row.ended, "In use again", row.ended_by_id)


def _stages(case: Case, *, is_manager: bool) -> Iterator[Step]:
    titles = {stage.name: stage.title for stage in case.protocol.steps}
    rows = Transition.objects.filter(row__case=case)
    if not is_manager:
        rows = rows.exclude(row__is_control=True)
    for at, stage, state, why, number in rows.values_list("created", "row__stage", "state", "why", "row__round"):
        again = f", round {number}" if number > 1 else ""
        yield Step(at, f"{titles.get(stage, stage)}{again}: {StageState(state).label.lower()}", comment=why)


def _work(case: Case, *, is_manager: bool) -> Iterator[Step]:
    """Pieces of work that people were given or took, and gave up or handed in."""
    rows = Assignment.objects.filter(row__case=case)
    if not is_manager:
        blind = [stage.name for stage in case.protocol.steps if stage.is_blind]
        rows = rows.exclude(row__readings__isnull=False, row__state=StageState.OPEN).exclude(row__is_control=True)
        rows = rows.exclude(row__state=StageState.OPEN, row__stage__in=blind)
    for row in rows.select_related("row").distinct():
        stage = row.row.stage
        yield Step(row.created, f"Work on {stage} given or taken", row.person_id)
        if row.ended_at is not None:
            yield Step(row.ended_at, f"Work on {stage}: {AssignmentState(row.state).label.lower()}", row.person_id)


def _drawn(case: Case, *, is_manager: bool) -> Iterator[Step]:
    """Who drew how many slices on which day, and corrections."""
    saves = Annotation.objects.confirmed().filter(task__case=case, was_cancelled=False)
    if not is_manager:
        closed = Q(reading__row__is_control=False) & ~Q(reading__row__state=StageState.OPEN)
        saves = saves.filter(Q(reading__isnull=True) | closed)
    days = saves.order_by().annotate(day=TruncDate("saved_at")).values_list("author", "day")
    for person, _, count, last in days.annotate(Count("task", distinct=True), Max("saved_at")):
        yield Step(last, f"{count} slice{'' if count == 1 else 's'} drawn", person)
    corrections = Correction.objects.filter(case=case)
    if not is_manager:
        corrections = corrections.filter(Q(row__isnull=True) | Q(row__is_control=False))
    for row in corrections:
        yield Step(row.created, f"{row.get_kind_display()}: {len(row.slices)} slices", row.author_id)


def _verdicts(case: Case, *, is_reader: bool, is_manager: bool) -> Iterator[Step]:
    words = {Verdict.APPROVE: "Approved", Verdict.RETURN: "Returned", Verdict.DOWN: "Sent down to be drawn afresh"}
    blind = [] if is_manager else [stage.name for stage in case.protocol.steps if stage.is_blind]
    unheard = Q(row__state=StageState.OPEN, row__stage__in=blind)  # others still read
    for review in Review.objects.filter(mask__case=case).exclude(unheard).select_related("end"):
        comment = review.comment if is_reader or review.verdict != Verdict.APPROVE else ""
        said = f"{words[Verdict(review.verdict)]}, {review.quality_words}"
        yield Step(review.created, said, review.reviewer_id, comment)
        if review.ending is not None:
            yield Step(review.ending.created, f"Verdict ended: {review.ending.get_reason_display()}")

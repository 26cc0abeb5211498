"""Giving many pieces of work to people at once, or taking them back; each by itself, each refusal told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from annotation_backend.accounts.models import User
from annotation_backend.stages.assigning import assign, give, give_back, require_may_do
from annotation_backend.stages.flow import lock
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage
from annotation_backend.stages.spreading import spread
from annotation_backend.studies.models import Study
from annotation_backend.work.taking.pieces import piece_for
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy

MOST_TOGETHER = 1000


@dataclass
class BulkReport:
    """What came of it: how many pieces were given or taken, and why others were not, by case."""

    count: int = 0
    refusals: list[str] = field(default_factory=list)


def give_to(rows: Sequence[CaseStage], person: User, *, by: User | None, takes: bool = False) -> BulkReport:
    """Gives stages to a person, each as a whole or what is free of its slices.

    Args:
        rows: The stages.
        person: Who does them.
        by: The data manager; None for a command.
        takes: Whether what somebody else has is taken from them.
    """
    return _each(rows, lambda row: _give(row, person, by=by, takes=takes))


def spread_over(rows: Sequence[CaseStage], *, how: AssignedBy, by: User | None) -> BulkReport:
    """Gives stages that nobody has to those who may do them, balanced."""

    def one(row: CaseStage) -> int:
        given = spread(row, how=how, by=by)
        if not given:
            raise RejectedInput(
                "nobody-free", f"Nobody more may do {row.stage}.", remedy="Give somebody the role, or do without."
            )
        return len(given)

    return _each(rows, one)


def take_back(rows: Sequence[CaseStage]) -> BulkReport:
    """Gives back all that people have open of stages."""

    def one(row: CaseStage) -> int:
        open_ones = list(Assignment.objects.filter(row=row, state=AssignmentState.OPEN).select_related("row__case"))
        if not open_ones:
            raise RejectedInput("nobody-has-it", "Nobody has it.", remedy="Nothing is to be done.")
        for assignment in open_ones:
            give_back(assignment)
        return len(open_ones)

    return _each(rows, one)


def rows_called(study: Study, keys: Sequence[int]) -> list[CaseStage]:
    """Stages of a study by their keys, in the order of the cases; those of other studies are not found.

    Raises:
        RejectedInput: None was chosen (``work-none``), or too many (``work-many``).
    """
    if not keys:
        raise RejectedInput("work-none", "No case was chosen.", remedy="Tick the cases that it is about.")
    if len(keys) > MOST_TOGETHER:
        raise RejectedInput("work-many", f"Expected up to {MOST_TOGETHER}, got {len(keys)}.", remedy="Choose fewer.")
    rows = CaseStage.objects.filter(pk__in=keys, case__study=study)
    return list(rows.select_related("case__study").order_by("case__code", "pk"))


def _each(rows: Sequence[CaseStage], do: Callable[[CaseStage], int]) -> BulkReport:
    report = BulkReport()
    for row in rows:
        try:
            report.count += do(row)
        except RejectedInput as error:
            report.refusals.append(f"{row.case.code}: {error.message} {error.remedy} [{error.code}]")
    return report


def _give(row: CaseStage, person: User, *, by: User | None, takes: bool) -> int:
    with transaction.atomic():
        lock(row.case)
        row = CaseStage.objects.select_related("case__study").get(pk=row.pk)
        stage = require_may_do(row, person)
        if takes:
            others = Assignment.objects.filter(row=row, state=AssignmentState.OPEN).exclude(person=person)
            for assignment in others.select_related("row__case"):
                give_back(assignment, state=AssignmentState.TAKEN)
        if Assignment.objects.filter(row=row, person=person, state=AssignmentState.OPEN).exists():
            raise RejectedInput("theirs-already", "They have it already.", remedy="Nothing is to be done.")
        if not stage.draws:
            assign(row, person, how=AssignedBy.HAND, by=by, why="A data manager gave it to you")
            return 1
        piece = piece_for(row, stage, person)
        if piece is None:
            raise RejectedInput(
                "slice-taken",
                "Nothing of it is free.",
                remedy="Take it from who has it, or publish its slices first.",
            )
        why = ". ".join(filter(None, ("A data manager gave it to you", piece.words)))
        give(row, person, piece.slices, how=AssignedBy.HAND, by=by, why=why, begins_at=piece.begins_at)
    return 1

"""A person's own work in a study: what is to be done, what came back and why, what is done, what waits for anybody."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Q
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import Annotation, LabelingTask, TaskState
from annotation_backend.labeling.versions.standing import Standing, standings
from annotation_backend.review.models import Comment
from annotation_backend.stages.models import (
    WHOLE_CASE,
    AssignedSlice,
    Assignment,
    AssignmentState,
    CaseStage,
    StageState,
    Transition,
)
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import roles_in
from annotation_backend.work.taking.pieces import is_done, outwards
from datasets.study.stage import AssignedBy, Stage, StageWork, WantedSlices

MOST_SHOWN = 50
"""Pieces on the page in each of its lists; the count is of all."""


@dataclass(frozen=True)
class OwnPiece:
    """A piece of a person's work as their page shows it.

    Args:
        assignment: The piece.
        stage: Its stage's rules; None where the protocol has it no more.
        slices: Those of the piece, of a drawing stage.
        drawn: Those of them that are drawn.
        next_task: The slice to go on with; None where none is left, or for a review.
        returned: What a reviewer asks for, by slice; empty where it did not come back.
        pinned: Open comments that are pinned to a slice, by slice.
        asked: Those that were drawn and that a return asks for again; None where the piece did not come back.
        undrawn: Those that nobody drew ever, where it came back.
    """

    assignment: Assignment
    stage: Stage | None
    slices: Sequence[int]
    drawn: Collection[int]
    next_task: LabelingTask | None
    returned: Mapping[int, str]
    pinned: Mapping[int, str] = field(default_factory=dict)
    asked: Sequence[int] | None = None
    undrawn: Sequence[int] = ()

    @property
    def case(self) -> Case:
        """Its case."""
        return self.assignment.row.case

    @property
    def has_next_pinned(self) -> bool:
        """Whether somebody pinned a comment to the slice that is next."""
        return self.next_task is not None and self.next_task.slice_index in self.pinned

    @property
    def came_back(self) -> bool:
        """Whether it came back with something drawn, to be drawn again or confirmed."""
        return self.asked is not None and bool(self.asked or self.kept)

    @property
    def drawn_again(self) -> list[int]:
        """Slices that a return asks for and that were drawn since."""
        return [index for index in self.asked or () if index in self.drawn]

    @property
    def kept(self) -> list[int]:
        """Slices that stay as they were drawn before it came back."""
        return [index for index in self.drawn if index not in (self.asked or ())]

    @property
    def is_drawing(self) -> bool:
        """Whether it is done in Label Studio."""
        return self.stage is not None and self.stage.draws

    @property
    def is_reviewed(self) -> bool:
        """Whether it is done on the review page."""
        return self.stage is not None and self.stage.does is StageWork.REVIEW

    @property
    def comments(self) -> list[tuple[str, list[int]]]:
        """Each thing that a reviewer asks for, and on which slices; on none where it is about all of the piece."""
        found: dict[str, list[int]] = {}
        for index, comment in self.returned.items():
            found.setdefault(comment, []).append(index)
        return [(comment, [] if len(on) == len(self.slices) else on) for comment, on in found.items()]

    @property
    def minutes_left(self) -> int | None:
        """Whole minutes until its lease runs out; None where it does not."""
        until = self.assignment.lease_until
        return None if until is None else max(0, int((until - now()).total_seconds() // 60))


@dataclass(frozen=True)
class _Asked:
    """What reviewers ask for: why a stage was opened again, and comments pinned to slices by case."""

    whys: Mapping[int, str]
    pinned: Mapping[int, Mapping[int, str]]


def own_pieces(study: Study, person: User) -> list[OwnPiece]:
    """A person's open pieces, those first that came back, then the oldest; a few queries, however many there are.

    Those of excluded cases wait until these are taken back.
    """
    in_use = Case.objects.not_excluded().filter(study=study)
    rows = Assignment.objects.filter(person=person, state=AssignmentState.OPEN, row__case__in=in_use)
    found = list(_with_cases(rows).order_by("-row__round", "pk")[:MOST_SHOWN])
    stages = {stage.name: stage for stage in study.protocol.steps}
    drawing = {stage.name for stage in stages.values() if stage.draws}
    cases = {one.row.case_id: one.row.case for one in found if one.row.stage in drawing}
    held = _by_assignment(found)
    tasks = _tasks_of(cases, study)
    counting = standings(list(cases.values()))
    readings = _own_saves(found, person)
    asked = _Asked(_why_back(found), _pinned(cases))
    pieces = [
        _piece(
            one,
            stages.get(one.row.stage),
            held.get(one.pk, []),
            tasks.get(one.row.case_id, {}),
            counting,
            readings,
            asked,
        )
        for one in found
    ]
    return sorted(pieces, key=lambda piece: not piece.has_next_pinned)  # stable: otherwise in their order


def done_pieces(study: Study, person: User) -> list[Assignment]:
    """A person's newest pieces that are done."""
    rows = Assignment.objects.filter(person=person, state=AssignmentState.DONE, row__case__study=study)
    return list(_with_cases(rows).order_by("-ended_at", "-pk")[:MOST_SHOWN])


def waiting_reviews(study: Study, person: User) -> int:
    """How many cases wait for a review that anybody of the person's roles may give."""
    roles = roles_in(study, person)
    names = [
        stage.name
        for stage in study.protocol.steps
        if stage.does is StageWork.REVIEW
        and stage.assignment in (AssignedBy.OPEN, AssignedBy.CLAIM)
        and Role(stage.done_by) in roles
    ]
    cases = Case.objects.in_use().filter(study=study)
    rows = CaseStage.objects.filter(case__in=cases, stage__in=names, state=StageState.OPEN, case__masks__isnull=False)
    return rows.distinct().count()


def counts_of(person: User) -> dict[int, dict[str, int]]:
    """By study: how many pieces are `open`, and `returned` among them; one query for all."""
    rows = Assignment.objects.filter(
        person=person, state=AssignmentState.OPEN, row__case__in=Case.objects.not_excluded()
    ).values("row__case__study")
    counted = rows.annotate(open=Count("pk"), returned=Count("pk", filter=Q(row__round__gt=1)))
    return {row["row__case__study"]: {"open": row["open"], "returned": row["returned"]} for row in counted.order_by()}


def _with_cases(rows):  # type: ignore[no-untyped-def]
    return rows.select_related("row__case__study", "row__case__patient", "person")


def _by_assignment(found: Sequence[Assignment]) -> dict[int, list[int]]:
    held: dict[int, list[int]] = {}
    rows = AssignedSlice.objects.filter(assignment__in=found, is_held=True)
    for key, index in rows.order_by("slice_index").values_list("assignment", "slice_index"):
        held.setdefault(key, []).append(index)
    return held


def _tasks_of(cases: Mapping[int, Case], study: Study) -> dict[int, dict[int, LabelingTask]]:
    """The tasks of each case by slice; the study's document and the cases are not read again with each of them."""
    tasks: dict[int, dict[int, LabelingTask]] = {key: {} for key in cases}
    living = LabelingTask.objects.filter(case__in=list(cases), project__is_retired=False, label_studio_id__gt=0)
    for task in living.select_related("project").order_by("slice_index"):
        task.project.study, task.case = study, cases[task.case_id]
        tasks[task.case_id][task.slice_index] = task
    return tasks


def _own_saves(found: Sequence[Assignment], person: User) -> dict[int, dict[int, datetime]]:
    """By stage of a case: when a reader saved each slice of their own work."""
    saves = Annotation.objects.filter(reading__row__in=[one.row_id for one in found], reading__person=person)
    own: dict[int, dict[int, datetime]] = {}
    for key, index, moment in saves.counting().values_list("reading__row", "task__slice_index", "saved_at"):
        own.setdefault(key, {})[index] = moment
    return own


def _why_back(found: Sequence[Assignment]) -> dict[int, str]:
    """By stage of a case in a later round: why it was opened again."""
    rows = [one.row_id for one in found if one.row.round > 1]
    opened = Transition.objects.filter(row__in=rows, state=StageState.OPEN)
    return dict(opened.values_list("row", "why"))


def _pinned(cases: Collection[int]) -> dict[int, dict[int, str]]:
    """By case and slice: the open comments that are pinned there."""
    found: dict[int, dict[int, str]] = {}
    comments = Comment.objects.open().filter(case__in=cases).order_by("pk")
    for case, index, text in comments.values_list("case", "slice_index", "text"):
        of_case = found.setdefault(case, {})
        of_case[index] = f"{of_case[index]} · {text}" if index in of_case else text
    return found


def _piece(
    one: Assignment,
    stage: Stage | None,
    held: Sequence[int],
    tasks: Mapping[int, LabelingTask],
    counting: Mapping[int, Standing],
    readings: Mapping[int, Mapping[int, datetime]],
    asked: _Asked,
) -> OwnPiece:
    if stage is None or not stage.draws:
        return OwnPiece(one, stage, [], [], None, {})
    is_apart = stage.keeps_readings or one.row.is_control
    drawn = readings.get(one.row_id, {}) if is_apart else counting[one.row.case_id].drawn
    slices = sorted(tasks) if WHOLE_CASE in held else list(held)
    done = [index for index in slices if is_done(one.row, drawn, index)]
    left = [index for index in slices if index not in done and index in tasks]
    back = {index: tasks[index].review_comment for index in slices if index in tasks and _is_back(tasks[index])}
    if not back and asked.whys.get(one.row_id):
        back = dict.fromkeys(slices, asked.whys[one.row_id])
    of_case = asked.pinned.get(one.row.case_id, {})
    pinned = {index: words for index, words in of_case.items() if index in slices}
    returned = [index for index in left if index in back and index in drawn]
    returned.sort(key=lambda index: index not in pinned)
    proposed = [one.begins_at] if one.begins_at in left else []
    first = next(iter(returned or proposed or _in_order(left, one, stage, drawn)), None)
    if stage.slices is WantedSlices.CENTRE:  # one slice is wanted, whichever the person chooses
        done = [index for index in done if one.row.round == 1 or drawn[index] > one.row.opened_at]
        slices = done[:1] or ([first] if first is not None else [])
        done, first = done[:1], None if done else first
        back = {index: words for index, words in back.items() if index in slices}
    came_back = one.row.round > 1 and not (is_apart or one.row.is_fresh or stage.slices is WantedSlices.CENTRE)
    return OwnPiece(
        one,
        stage,
        slices,
        done,
        tasks[first] if first is not None else None,
        back,
        pinned,
        asked=[index for index in slices if index in drawn and one.row.asks_for(index)] if came_back else None,
        undrawn=[index for index in slices if index not in drawn] if came_back else (),
    )


def _in_order(left: list[int], one: Assignment, stage: Stage, drawn: Collection[int]) -> list[int]:
    """The slices that are left in their order: outwards from what is drawn or largest, or as they lie."""
    if stage.slices is WantedSlices.ADJACENT:
        return outwards(left, drawn)
    return left if one.begins_at is None else outwards(left, [one.begins_at])


def _is_back(task: LabelingTask) -> bool:
    return task.state == TaskState.RETURNED and bool(task.review_comment)

"""Gives control cases to people among their other work: they look like it, and move nothing.

Who takes work gets one in place of their next piece; who is given work gets as many beside it as they would have
got before it, had they taken it. Either way the share is that of control cases among all pieces.
"""

import secrets
from collections.abc import Sequence

import numpy as np
from django.db import transaction
from django.db.models import Count, Q

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.labeling.models import Annotation
from annotation_backend.readers.controls.drafts import known_mask, make_draft
from annotation_backend.readers.models import ControlCase, ControlReading, ControlShare
from annotation_backend.review.models import Comment, Review
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import lock
from annotation_backend.stages.models import WHOLE_CASE, Assignment, CaseStage, StageState
from annotation_backend.stages.spreading import BY_ITSELF
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy, Stage
from training.measures.metrics import dice

_BEYOND = 1
"""Slices beyond the tumour's ends that a piece of slices may reach, so that its ends have to be found, too."""


def control_in_place(person: User, study: Study, stage: Stage) -> Assignment | None:
    """A control case in place of a person's next piece of work, as often as the stage's share says; else None.

    Args:
        person: Who takes a piece of work.
        study: The study.
        stage: Its stage that they take it of.
    """
    if not _is_due(_share_of(study, stage)):
        return None
    control = next_control(person, study, stage)
    return None if control is None else give_control(control, person, how=AssignedBy.CLAIM)


def controls_beside(
    person: User, study: Study, stage: Stage, *, how: AssignedBy, why: str, by: User | None
) -> list[Assignment]:
    """Control cases beside a piece of work that a person is given, as often as the stage's share says; mostly none.

    Args:
        person: Who is given work.
        study: The study.
        stage: Its stage that the work is of.
        how: As the work that they stand beside; so are the other two.
        why: Shown to the person.
        by: Who gave it out; None for the protocol.
    """
    share, given = _share_of(study, stage), list[Assignment]()
    while _is_due(share):
        control = next_control(person, study, stage)
        if control is None or not _is_free_now(control.case):
            break
        try:
            given.append(give_control(control, person, how=how, why=why, by=by, drafts_later=True))
        except RejectedInput:
            break  # paused, or it was marked for a protocol that has changed
    return given


def next_control(person: User, study: Study, stage: Stage) -> ControlCase | None:
    """The control case that a person gets next: one that they never saw, of those that were read least; or none."""
    return (
        ControlCase.objects.filter(case__study=study, stage=stage.name, ended_at=None)
        .exclude(marked_by=person)
        .exclude(case__in=Assignment.objects.filter(person=person).values("row__case"))
        .exclude(case__in=Annotation.objects.filter(author=person).values("task__case"))
        .exclude(case__in=Review.objects.filter(reviewer=person).values("mask__case"))
        .exclude(case__in=CaseStage.objects.filter(stage=stage.name, state=StageState.OPEN).values("case"))
        .exclude(case__in=Comment.objects.open().values("case"))  # they would stand above its slices
        .exclude(case__exclusions__ended__isnull=True, case__exclusions__isnull=False)
        .filter(case__labeling_tasks__project__is_retired=False)
        .annotate(times=Count("readings", filter=Q(readings__scored_at__isnull=False), distinct=True))
        .select_related("case__study")
        .order_by("times", "?")
        .first()
    )


def give_control(
    control: ControlCase,
    person: User,
    *,
    how: AssignedBy,
    why: str = "",
    by: User | None = None,
    drafts_later: bool = False,
    seed: int | None = None,
) -> Assignment:
    """Gives a person a control case, with a draft in which a fault is planted where its stage shows drafts at all.

    Args:
        control: The control case.
        person: Who never saw its case.
        how: As other work of the stage.
        why: Shown to the person.
        by: Who gave it out; None for the person, or for the machine.
        drafts_later: Whether the draft is for the job to make that shows it.
        seed: Of the draft's fault; drawn at random where none is given.

    Raises:
        RejectedInput: As `stages.assigning.assign`; the person's work is paused, or the stage is not theirs.
    """
    case = control.case
    with transaction.atomic():
        lock(case)
        row = CaseStage.every.create(case=case, stage=control.stage, is_control=True)
        slices = (WHOLE_CASE,) if how in BY_ITSELF else _slices(control, row.rules)
        assignment = assign(row, person, slices, how=how, why=why, by=by)
        indices = sorted(case.slices.values_list("index", flat=True).distinct()) if WHOLE_CASE in slices else slices
        reading = ControlReading(control=control, reading=row.readings.get(person=person), slices=list(indices))
        if not drafts_later:
            plant_in(reading, seed=seed)
        reading.save()
    return assignment


def plant_in(reading: ControlReading, *, seed: int | None = None) -> bool:
    """Gives a reading its draft with a planted fault, where its stage shows drafts; whether it has one. Not stored.

    Args:
        reading: Of a control case, not handed in.
        seed: Of the draft's fault; drawn at random where none is given.
    """
    control, rules = reading.control, reading.reading.row.rules
    if rules is None or rules.hides_models:
        return False
    draft = make_draft(control, reading.slices, seed=secrets.randbits(32) if seed is None else seed)
    if draft is None:
        return False
    truth = known_mask(control).label(control.case.protocol.learned_label.name)
    reading.draft_file, reading.draft_sha256 = draft.file, draft.sha256
    reading.fault = {"kind": draft.kind.value, "slices": list(draft.slices)}
    reading.draft_dice = dice(draft.inside, truth)
    return True


def _share_of(study: Study, stage: Stage) -> float:
    """The share of control cases among the pieces of a stage."""
    return ControlShare.objects.filter(study=study, stage=stage.name).values_list("share", flat=True).first() or 0.0


def _is_due(share: float) -> bool:
    return secrets.SystemRandom().random() < share


def _is_free_now(case: Case) -> bool:
    """Locks a case that nobody has locked: who gives out work holds its people, and must not wait for who wants one."""
    rows = Case.objects.select_for_update(skip_locked=True).filter(pk=case.pk)
    return rows.values_list("pk", flat=True).first() is not None


def _slices(control: ControlCase, stage: Stage | None) -> Sequence[int]:
    """The slices of a piece, as large as other pieces of the stage: the whole case, or some around the tumour."""
    if stage is None or stage.unit == "case":
        return (WHOLE_CASE,)
    indices = sorted(set(control.case.slices.values_list("index", flat=True)))
    if not stage.piece or stage.piece >= len(indices):
        return indices
    mask, axis = known_mask(control), picture_plane(control.case).slice_axis
    others = tuple(one for one in range(3) if one != axis)
    inside = set(np.flatnonzero(np.any(mask.foreground, axis=others)).tolist())
    drawn = [index for index in indices if index in inside] or indices
    first, last = max(indices[0], drawn[0] - _BEYOND), min(indices[-1], drawn[-1] + _BEYOND)
    start = first + secrets.randbelow(max(1, last - first - stage.piece + 2))
    start = min(start, indices[-1] - stage.piece + 1)
    return [index for index in indices if start <= index < start + stage.piece]

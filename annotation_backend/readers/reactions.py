"""Receivers of signals from the apps below; they queue jobs."""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.signals import saves_settled
from annotation_backend.readers.adjudication.readings import open_adjudication
from annotation_backend.readers.controls.giving import control_in_place, controls_beside
from annotation_backend.readers.jobs import (
    compare_readings,
    prepare_adjudication,
    score_control,
    show_draft,
    summarise_agreement,
)
from annotation_backend.readers.models import ControlReading, Pause
from annotation_backend.stages.flow import close_control
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage, Reading
from annotation_backend.stages.signals import (
    assignment_ended,
    next_wanted,
    stage_closed,
    stage_opened,
    work_asked,
    work_given,
)
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy, Stage, StageWork


@receiver(assignment_ended)
def compare_soon(*, assignment: Assignment, **_signal: Any) -> None:
    """Queues the comparison of a stage's readers once another has handed in."""
    row = assignment.row
    if row.is_control:
        _look_at_control(assignment)
    elif row.rules is not None and row.rules.keeps_readings:
        queue_once(compare_readings, row=row.pk)


@receiver(saves_settled)
def compare_again(*, case: Case, **_signal: Any) -> None:
    """Queues the comparison of readers whose masks may be others now."""
    again = ControlReading.objects.filter(control__case=case, reading__handed_in_at__isnull=False)
    for key in again.values_list("pk", flat=True):
        queue_once(score_control, control_reading=key)
    handed_in = Reading.objects.filter(row__case=case, row__is_control=False, handed_in_at__isnull=False)
    rows = list(handed_in.order_by("row").values_list("row", flat=True).distinct())
    for row in rows:
        queue_once(compare_readings, row=row)
    adjudication = open_adjudication(case) if rows else None
    if adjudication is not None:
        queue_once(prepare_adjudication, row=adjudication.pk)


@receiver(stage_opened)
def prepare_soon(*, row: CaseStage, **_signal: Any) -> None:
    """Queues what an adjudicator looks at, and a study's agreement without what is read again: it is blind again."""
    if row.rules is not None and row.rules.does is StageWork.ADJUDICATE:
        queue_once(prepare_adjudication, row=row.pk)
    elif row.rules is not None and row.rules.keeps_readings and row.round > 1:
        queue_once(summarise_agreement, study=row.case.study.name)


@receiver(stage_closed)
def summarise_soon(*, row: CaseStage, **_signal: Any) -> None:
    """Queues a study's agreement anew once a stage of several people is closed: blind figures may be shown now."""
    if row.rules is not None and row.rules.readers > 1:
        queue_once(summarise_agreement, study=row.case.study.name)


@receiver(next_wanted)
def give_control_instead(*, person: User, study: Study, stage: Stage, **_signal: Any) -> Assignment | None:
    """A control case in place of a person's next piece of work, now and then."""
    return control_in_place(person, study, stage)


@receiver(work_given)
def give_controls_beside(
    *, row: CaseStage, person: User, how: AssignedBy, why: str, by: User | None, **_signal: Any
) -> list[Assignment]:
    """Control cases beside a piece of work that a person is given, now and then."""
    if row.rules is None:
        return []
    return controls_beside(person, row.case.study, row.rules, how=how, why=why, by=by)


@receiver(post_save, sender=ControlReading)
def show_draft_soon(*, instance: ControlReading, created: bool, **_signal: Any) -> None:
    """Queues that the person is shown their draft, where their stage shows any."""
    rules = instance.reading.row.rules
    if created and rules is not None and not rules.hides_models:
        queue_once(show_draft, control_reading=instance.pk)


@receiver(work_asked)
def refuse_while_paused(*, row: CaseStage, person: User, **_signal: Any) -> None:
    """Refuses a person work of a stage that they are paused in.

    Raises:
        RejectedInput: They are (``work-paused``).
    """
    if Pause.objects.filter(study=row.case.study, stage=row.stage, person=person, lifted_at=None).exists():
        raise RejectedInput(
            "work-paused",
            "There is no further work of this stage for you now: your last masks were too far from known ones.",
            remedy="A data manager talks with you and lifts the pause on the page of control cases.",
        )


def _look_at_control(assignment: Assignment) -> None:
    """Queues a look at a control case that was handed in; one that was given back ends."""
    if assignment.state != AssignmentState.DONE:
        close_control(assignment.row)
        return
    readings = ControlReading.objects.filter(reading__row=assignment.row)
    for key in readings.values_list("pk", flat=True):
        queue_once(score_control, control_reading=key)

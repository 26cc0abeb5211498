"""Receivers of signals from the apps below; they queue jobs."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.cases.models import Case
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.signals import saves_settled
from annotation_backend.readers.adjudication.readings import open_adjudication
from annotation_backend.readers.jobs import compare_readings, prepare_adjudication, summarise_agreement
from annotation_backend.stages.models import Assignment, CaseStage, Reading
from annotation_backend.stages.signals import assignment_ended, stage_closed, stage_opened
from datasets.study.stage import StageWork


@receiver(assignment_ended)
def compare_soon(*, assignment: Assignment, **_signal: Any) -> None:
    """Queues the comparison of a stage's readers once another has handed in."""
    row = assignment.row
    if not row.is_control and row.rules is not None and row.rules.keeps_readings:
        queue_once(compare_readings, row=row.pk)


@receiver(saves_settled)
def compare_again(*, case: Case, **_signal: Any) -> None:
    """Queues the comparison of readers whose masks may be others now."""
    handed_in = Reading.objects.filter(row__case=case, row__is_control=False, handed_in_at__isnull=False)
    rows = list(handed_in.order_by("row").values_list("row", flat=True).distinct())
    for row in rows:
        queue_once(compare_readings, row=row)
    adjudication = open_adjudication(case) if rows else None
    if adjudication is not None:
        queue_once(prepare_adjudication, row=adjudication.pk)


@receiver(stage_opened)
def prepare_soon(*, row: CaseStage, **_signal: Any) -> None:
    """Queues what an adjudicator looks at."""
    if row.rules is not None and row.rules.does is StageWork.ADJUDICATE:
        queue_once(prepare_adjudication, row=row.pk)


@receiver(stage_closed)
def summarise_soon(*, row: CaseStage, **_signal: Any) -> None:
    """Queues a study's agreement anew once a stage of several people is closed: blind figures may be shown now."""
    if row.rules is not None and row.rules.readers > 1:
        queue_once(summarise_agreement, study=row.case.study.name)

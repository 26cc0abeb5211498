"""Active time of a study's people, by case and stage, from events and all else that has a person and a time.

Nothing of it is stored: it is worked out from the records each time (`history.active`).
"""

import heapq
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet

from annotation_backend.history.active import Moment, Work, work_of
from annotation_backend.history.models import Event, EventKind
from annotation_backend.inference.models import SessionPrompt
from annotation_backend.labeling.models import Annotation
from annotation_backend.review.models import Review
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study

_AT_ONCE = 5000


@dataclass(frozen=True)
class Occupation:
    """What somebody was seen to work on.

    Args:
        case: Key of the case.
        draws: Whether they drew; else they looked at it or judged it.
        stage: Name of the stage; empty where the record does not say.
    """

    case: int
    draws: bool
    stage: str = ""


@dataclass(frozen=True)
class ActiveTime:
    """How long a person worked on a case in a stage.

    Args:
        person: The person's number.
        case: Key of the case.
        stage: Name of the stage; empty where none was open.
        seconds: Active seconds.
    """

    person: int
    case: int
    stage: str
    seconds: float


def active_times(study: Study) -> list[ActiveTime]:
    """Active seconds by person, case and stage, in that order."""
    stages = _StageTimes(study)
    found: dict[tuple[int, int, str], float] = {}
    for work in work_of(_moments(study)):
        key = (work.person, work.place.case, stages.of(work))
        found[key] = found.get(key, 0.0) + work.seconds
    return [ActiveTime(*key, seconds) for key, seconds in sorted(found.items())]


def _moments(study: Study) -> Iterator[Moment[Occupation]]:
    """All moments at which people were seen at work, by person and time; a few queries, read in portions."""
    drawing = (EventKind.TASK_OPENED, EventKind.TASK_ACTIVE, EventKind.DRAFT)
    events = Event.objects.filter(study=study, person__isnull=False, case__isnull=False)
    saves = Annotation.objects.filter(project__study=study, author__isnull=False)
    prompts = SessionPrompt.objects.filter(session__case__study=study, session__person__isnull=False)
    reviews = Review.objects.filter(mask__case__study=study)
    rows = heapq.merge(
        (
            (person, at, Occupation(case, kind in drawing, stage), kind == EventKind.PAGE_IDLE)
            for person, at, case, stage, kind in _read(events, "person", "created", "case", "stage", "kind")
        ),
        (
            (person, at, Occupation(case, True, stage or ""), False)
            for person, at, case, stage in _read(saves, "author", "saved_at", "task__case", "reading__row__stage")
        ),
        (
            (person, at, Occupation(case, True), False)
            for person, at, case in _read(prompts, "session__person", "created", "session__case")
        ),
        (
            (person, at, Occupation(case, False, stage or ""), False)
            for person, at, case, stage in _read(reviews, "reviewer", "created", "mask__case", "row__stage")
        ),
        key=lambda row: row[:2],
    )
    return (Moment(person, at, place, ends) for person, at, place, ends in rows)


def _read(rows: QuerySet[Any], person: str, at: str, *fields: str) -> Iterator[tuple[Any, ...]]:
    in_order = rows.order_by(F(person), F(at)).values_list(person, at, *fields)
    return in_order.iterator(chunk_size=_AT_ONCE)


class _StageTimes:
    """Which stage of a case was open when, for records that do not say for which they were made."""

    def __init__(self, study: Study) -> None:
        self._draws = {stage.name: stage.draws for stage in study.protocol.steps}
        self._rows: dict[int, list[tuple[datetime, str]]] = {}
        rows = CaseStage.objects.filter(case__study=study).order_by("opened_at", "pk")
        for case, opened_at, stage in rows.values_list("case", "opened_at", "stage"):
            self._rows.setdefault(case, []).append((opened_at, stage))

    def of(self, work: Work[Occupation]) -> str:
        """The stage of a stretch of work: the last that was opened before it, of the kind that it was."""
        place = work.place
        if place.stage:
            return place.stage
        rows = self._rows.get(place.case, [])
        until = bisect_right(rows, work.begins, key=lambda row: row[0])
        fitting = [stage for _, stage in rows[:until] if self._draws.get(stage) is place.draws]
        return fitting[-1] if fitting else ""


def seconds_of_cases(times: list[ActiveTime], stages: Mapping[str, bool]) -> dict[int, float]:
    """Active seconds on each case in some stages.

    Args:
        times: As `active_times` gives them.
        stages: By name of a stage, whether it counts.
    """
    found: dict[int, float] = {}
    for one in times:
        if stages.get(one.stage):
            found[one.case] = found.get(one.case, 0.0) + one.seconds
    return found

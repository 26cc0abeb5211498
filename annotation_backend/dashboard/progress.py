"""How far a study's cases are, how fast they go on, and how long they wait: the funnel, weeks and waiting times."""

from collections import defaultdict
from datetime import timedelta

import numpy as np
from django.db.models import Count, F, QuerySet
from django.db.models.functions import TruncWeek
from django.utils.timezone import now

from annotation_backend.cases.models import Case
from annotation_backend.dashboard.tables import Table
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.models import Study

WEEKS = 26
"""Weeks of throughput that are shown."""

_HOUR = timedelta(hours=1)


def progress_tables(study: Study) -> list[Table]:
    """The funnel by stage, tissue type and site; throughput; waiting times; five queries."""
    return [
        _funnel(study),
        _split(study, "tissue_type"),
        _split(study, "anatomical_site"),
        _weeks(study),
        _waits(study),
    ]


def _rows_of(study: Study) -> QuerySet[CaseStage]:
    return CaseStage.objects.filter(case__in=Case.objects.in_use().filter(study=study)).order_by()


def _titles(study: Study) -> dict[str, str]:
    return {stage.name: stage.title for stage in study.protocol.steps}


def _funnel(study: Study) -> Table:
    counts: dict[tuple[str, str], int] = {}
    for stage, state, count in _rows_of(study).values_list("stage", "state").annotate(Count("case", distinct=True)):
        counts[stage, state] = count
    reached = dict(_rows_of(study).values_list("stage").annotate(Count("case", distinct=True)))
    rows: list[list[str | int]] = [["Came in", Case.objects.in_use().filter(study=study).count(), 0, 0, 0, 0]]
    shown = (StageState.OPEN, StageState.DONE, StageState.RETURNED, StageState.WENT_DOWN)
    for name, title in _titles(study).items():
        rows.append([title, reached.get(name, 0), *(counts.get((name, state.value), 0) for state in shown)])
    return Table(
        "funnel",
        "Cases by stage",
        ("Stage", "Reached", "Open now", "Done", "Sent back", "Sent down"),
        rows,
        "Cases in use. A case that came to a stage twice counts once in each column.",
        plot="bar",
        plotted=("Reached", "Open now", "Done"),
    )


def _split(study: Study, field: str) -> Table:
    """Cases of each tissue type or site, and how many of them did each stage."""
    is_tissue = field == "tissue_type"
    cases = Case.objects.in_use().filter(study=study).order_by()
    total = dict(cases.values_list(field).annotate(Count("pk")))
    done: dict[tuple[str, str], int] = {}
    finished = _rows_of(study).filter(state=StageState.DONE).annotate(group=F(f"case__{field}"))
    for group, stage, count in finished.values_list("group", "stage").annotate(Count("case", distinct=True)):
        done[group, stage] = count
    titles = _titles(study)
    rows = [
        [_words(group), count, *(done.get((group, stage), 0) for stage in titles)]
        for group, count in sorted(total.items(), key=lambda one: (-one[1], one[0]))
    ]
    return Table(
        "funnel-by-tissue" if is_tissue else "funnel-by-site",
        "Cases by tissue type" if is_tissue else "Cases by anatomical site",
        ("Tissue type" if is_tissue else "Site", "Came in", *titles.values()),
        rows,
        "Below each stage: cases that did it at least once.",
        plot="bar",
        plotted=("Came in", *titles.values()),
    )


def _words(group: str) -> str:
    return group.replace("_", " ").capitalize() if group else "not said"


def _weeks(study: Study) -> Table:
    titles = _titles(study)
    this = now() - timedelta(days=now().weekday())
    since = (this - timedelta(weeks=WEEKS - 1)).date()
    found: dict[tuple[str, str], int] = {}
    closed = _rows_of(study).filter(state=StageState.DONE, closed_at__date__gte=since)
    for week, stage, count in (
        closed.annotate(week=TruncWeek("closed_at")).values_list("week", "stage").annotate(Count("pk"))
    ):
        found[week.date().isoformat(), stage] = count
    weeks = [(since + timedelta(weeks=number)).isoformat() for number in range(WEEKS)]
    return Table(
        "throughput",
        "Stages done a week",
        ("Week from", *titles.values()),
        [[week, *(found.get((week, stage), 0) for stage in titles)] for week in weeks],
        f"The last {WEEKS} weeks; weeks begin on Monday (UTC).",
        plot="line",
        plotted=tuple(titles.values()),
    )


def _waits(study: Study) -> Table:
    lasted: dict[str, list[float]] = defaultdict(list)
    open_for: dict[str, list[float]] = defaultdict(list)
    today = now()
    for stage, opened, closed in _rows_of(study).values_list("stage", "opened_at", "closed_at"):
        (open_for if closed is None else lasted)[stage].append(((closed or today) - opened) / _HOUR)
    rows = [
        [title, len(lasted[name]), *_spread(lasted[name]), len(open_for[name]), *_spread(open_for[name])]
        for name, title in _titles(study).items()
    ]
    return Table(
        "waiting",
        "Hours in each stage",
        ("Stage", "Closed", "Median (h)", "90 % (h)", "Open", "Median of open (h)", "90 % of open (h)"),
        rows,
        "From a stage's opening to its end, nights and weekends included; open ones until now.",
        plot="bar",
        plotted=("Median (h)", "90 % (h)"),
    )


def _spread(hours: list[float]) -> tuple[float | None, float | None]:
    """Median and 90th percentile, linear between ranks; nothing of nothing."""
    if not hours:
        return None, None
    median, high = np.percentile(hours, [50, 90])
    return round(float(median), 1), round(float(high), 1)

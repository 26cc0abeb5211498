"""Drawing methods against each other: quality scores, active time against drawing by hand, and models' drafts."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import binom

from annotation_backend.audit.times import ActiveTime, active_times
from annotation_backend.dashboard.tables import Table
from annotation_backend.review.models import Review
from annotation_backend.stages.models import StageState
from annotation_backend.studies.models import Study
from datasets.study.case import QualityScore
from datasets.study.protocol import Protocol
from datasets.study.stage import DrawingMethod

CONFIDENCE = 0.95
NAMES = {
    DrawingMethod.AUTOMATIC: "Automatic",
    DrawingMethod.INTERACTIVE: "Interactive",
    DrawingMethod.MANUAL: "By hand",
    DrawingMethod.AS_PEOPLE_LIKE: "As people like",
}


def method_of_reviewed(protocol: Protocol) -> dict[str, DrawingMethod]:
    """By name of a stage that judges: how the masks were drawn that it judges.

    That is the method of the last drawing stage before it, over stages that judge in between.
    """
    steps = {stage.name: stage for stage in protocol.steps}
    found: dict[str, DrawingMethod] = {}
    for name, stage in steps.items():
        before, seen = list(stage.after), set()
        while not stage.draws and before:
            one = steps.get(before.pop())
            if one is None or one.name in seen:
                continue
            seen.add(one.name)
            if one.draws:
                found[name] = one.method
                break
            before += one.after
    return found


def score_table(study: Study) -> Table:
    """Quality scores by the method of the mask that was scored: the table of the lipoma study; one query."""
    methods = method_of_reviewed(study.protocol)
    counts: Counter[tuple[str, DrawingMethod]] = Counter()
    reviews = Review.objects.filter(mask__case__study=study, mask__case__is_rehearsal=False)
    blind = [stage.name for stage in study.protocol.steps if stage.is_blind]
    reviews = reviews.exclude(row__state=StageState.OPEN, row__stage__in=blind)  # others still read
    for score, stage in reviews.values_list("quality_score", "row__stage"):
        counts[score, methods.get(stage or "", DrawingMethod.AS_PEOPLE_LIKE)] += 1
    used = [method for method in NAMES if any(key[1] is method for key in counts) or method in methods.values()]
    totals = {method: sum(count for (_, one), count in counts.items() if one is method) for method in used}
    rows = [_score_row(score, used, counts, totals) for score in QualityScore]
    head = [word for method in used for word in (NAMES[method], f"{NAMES[method]} (%)")]
    return Table(
        "scores",
        "Quality score by method",
        ("Score", *head),
        [*rows, ["All", *(value for method in used for value in (totals[method], 100.0 if totals[method] else None))]],
        "Every verdict counts once, under the method of the drawing stage before its stage.",
        plot="stacked",
        plotted=tuple(f"{NAMES[method]} (%)" for method in used),
    )


def _score_row(
    score: QualityScore,
    used: Sequence[DrawingMethod],
    counts: Mapping[tuple[str, DrawingMethod], int],
    totals: Mapping[DrawingMethod, int],
) -> list[str | int | float | None]:
    row: list[str | int | float | None] = [score.value.replace("_", " ").capitalize()]
    for method in used:
        count = counts.get((score.value, method), 0)
        row += [count, round(100 * count / totals[method], 1) if totals[method] else None]
    return row


def time_table(study: Study, times: Sequence[ActiveTime] | None = None) -> Table:
    """Active minutes of drawing on a case, by method, against drawing by hand.

    Args:
        study: The study.
        times: As `active_times` gives them; None to work them out.
    """
    drawing = {stage.name: stage.method for stage in study.protocol.steps if stage.draws}
    spent: dict[DrawingMethod, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for one in active_times(study) if times is None else times:
        if one.stage in drawing:
            spent[drawing[one.stage]][one.case] += one.seconds / 60
    manual = list(spent[DrawingMethod.MANUAL].values())
    rows: list[list[str | int | float | None]] = []
    for method in NAMES:
        if method not in drawing.values():
            continue
        minutes = list(spent[method].values())
        middle = float(np.median(minutes)) if minutes else None
        share = round(middle / float(np.median(manual)), 2) if middle is not None and manual else None
        low, high = interval_of_median(minutes)
        rows.append([NAMES[method], len(minutes), _short(middle), _short(low), _short(high), share])
    return Table(
        "time-by-method",
        "Active minutes of drawing a case, by method",
        ("Method", "Cases", "Median (min)", "95 % from", "95 % to", "Share of the time by hand"),
        rows,
        "Active time of all people in a case's drawing stages of the method, breaks over 60 s left out. The interval "
        "of the median is that of ranks (binomial), which assumes no shape of their spread; it needs 6 cases.",
        plot="bar",
        plotted=("Median (min)",),
    )


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def interval_of_median(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The interval of ranks that holds the true median with a probability of at least 95 %; none below 6 values.

    Source: Conover, Practical Nonparametric Statistics, 3rd edition, section 3.2.
    """
    count, tail = len(values), (1 - CONFIDENCE) / 2
    rank = int(binom.ppf(tail, count, 0.5)) if count else 0  # the lower rank, from 1; 0 where there is none
    rank -= binom.cdf(rank - 1, count, 0.5) > tail if rank else 0
    if rank < 1:
        return None, None
    ordered = sorted(values)
    return ordered[rank - 1], ordered[count - rank]

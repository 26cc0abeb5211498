"""The report of rounds: one page with the learning curve, and a CSV for every table."""

import itertools
from collections.abc import Mapping, Sequence
from html import escape
from statistics import mean

from datasets.pages.page import card, whole_page
from datasets.pages.sheets import Column, Figure, Sheet, Value, as_html, sheets_of
from training.evaluation.learning_curve import CurvePoint, curve_plot, difference
from training.measures.bootstrap import Interval
from training.measures.metrics import is_miss
from training.measures.statistics import patient_means
from training.reports.model_report import PAGE_NAME, ModelReport
from training.rounds.plan import RoundsPlan
from training.rounds.work import CaseWork

_ABOUT = (
    "A simulated annotator corrects drafts with strokes until every slice is good enough; what it leaves, not the "
    "reference, is approved and learned from. The held-out patients were fixed before the first round, and nobody "
    "learns from them; they are worked on after every training, so that both figures compare the same patients. "
    "Intervals are 95 %, by patient."
)


def curve_points(
    rows: Sequence[CaseWork], plan: RoundsPlan, strategy: str, *, is_held_out: bool = True
) -> list[CurvePoint]:
    """One point for each number of models, worked on with one strategy.

    Args:
        rows: Of all rounds.
        plan: Which cases were approved when.
        strategy: Its name.
        is_held_out: Of the held-out patients, or of those who were new.
    """
    found = []
    for models in range(len(plan.rounds) + 1):
        own = [row for row in rows if (row.models, row.strategy, row.is_held_out) == (models, strategy, is_held_out)]
        if own:
            cases = len(plan.approved_after(models))
            name = f"after round {models}" if models else "empty drafts"
            found.append(CurvePoint(name, cases, _by_patient(own, "draft_dice"), _by_patient(own, "actions")))
    return found


def rounds_report(rows: Sequence[CaseWork], plan: RoundsPlan, *, about: str = "") -> ModelReport:
    """The page and its tables.

    Args:
        rows: Of all rounds; the first strategy's work is what was approved.
        plan: Which cases were approved when.
        about: A remark on the data and their limits, in plain text.
    """
    strategies = list(dict.fromkeys(row.strategy for row in rows))
    parts = _parts(rows, plan, strategies)
    sheets = [*sheets_of(parts), _cases(rows)]
    content = card("How it was done", f"<p>{escape(_ABOUT)}</p>" + (f"<p>{escape(about)}</p>" if about else ""))
    count = len(plan.rounds)
    title = f"Learning in the loop: {count} round{'s' * (count > 1)}, {len(plan.held_out)} held-out cases"
    page = whole_page(title, content + as_html(parts) + _cases(rows).as_html())
    return ModelReport(page, {f"{sheet.name}.csv": sheet.as_csv() for sheet in sheets})


def rose_every_round(points: Sequence[CurvePoint]) -> tuple[bool, bool]:
    """Whether Dice rose with every training, and whether actions fell with every one."""
    dice = [point.dice_mean.value or 0.0 for point in points]
    work = [point.work_mean.value or 0.0 for point in points]
    return (
        all(before < after for before, after in itertools.pairwise(dice)),
        all(before > after for before, after in itertools.pairwise(work)),
    )


def _parts(rows: Sequence[CaseWork], plan: RoundsPlan, strategies: Sequence[str]) -> list[Sheet | Figure]:
    """The curves side by side, and then the tables of each strategy."""
    curves = {name: curve_points(rows, plan, name) for name in strategies}
    points = curves[strategies[0]]
    drawing = curve_plot(points, of_work=False, y_title="Dice of the drafts on held-out patients")
    figures = [Figure(_marks("dice", "Dice", points, of_work=False), drawing, is_narrow=True)]
    tables = []
    for name, points in curves.items():
        drawing = curve_plot(points, of_work=True, y_title="actions a held-out case")
        marks = _marks(f"actions-{name}", f"Actions, {name}", points, of_work=True)
        figures.append(Figure(marks, drawing, is_narrow=True))
        new = curve_points(rows, plan, name, is_held_out=False)
        tables += [_curve(points, new, rows, name), _steps(points, name)]
    return [*figures, *tables]


def _marks(name: str, title: str, points: Sequence[CurvePoint], *, of_work: bool) -> Sheet:
    """What a plot is drawn from: each patient's value."""
    rows = [
        (point.name, point.cases, patient, float(value))
        for point in points
        for patient, value in (point.work if of_work else point.dice).items()
    ]
    columns = (Column("drafts"), Column("approved cases"), Column("patient"), Column("value", ".4f"))
    return Sheet(f"learning-{name}", title, "Means over held-out patients, with intervals.", columns, tuple(rows))


def _curve(points: Sequence[CurvePoint], new: Sequence[CurvePoint], rows: Sequence[CaseWork], strategy: str) -> Sheet:
    forms = {"drafts": "", "approved cases": "", "held-out patients": "", "Dice": ".3f", "lower": ".3f", "upper": ".3f",
             "misses": "", "actions a case": ".1f", "lower ": ".1f", "upper ": ".1f", "actions a new case": ".1f",
             "Dice of what was left": ".3f", "minutes a case": ".1f"}  # fmt: skip
    of_new = {point.cases: point.work_mean.value for point in new}
    found: list[tuple[Value, ...]] = []
    for models, point in enumerate(points):
        own = [row for row in rows if (row.models, row.strategy, row.is_held_out) == (models, strategy, True)]
        found.append(
            (
                point.name,
                point.cases,
                point.dice_mean.patients,
                *_ends(point.dice_mean),
                sum(is_miss(row.draft_dice) for row in own),
                *_ends(point.work_mean),
                of_new.get(point.cases),
                mean(row.dice for row in own),
                mean(row.seconds for row in own) / 60,
            )
        )
    note = (
        "New cases are those of the round that begins: other patients each time, and nobody after the last. Misses are "
        "drafts with a Dice below 0.3."
    )
    columns = tuple(Column(head, form) for head, form in forms.items())
    return Sheet(f"learning-curve-{strategy}", f"Learning curve, {strategy}", note, columns, tuple(found))


def _steps(points: Sequence[CurvePoint], strategy: str) -> Sheet:
    """Each training against the one before, on the same patients."""
    heads = ("from", "to", "Dice", "lower", "upper", "actions", "lower ", "upper ")
    forms = ("", "", "+.3f", "+.3f", "+.3f", "+.1f", "+.1f", "+.1f")
    rows: list[tuple[Value, ...]] = []
    for before, after in itertools.pairwise(points):
        changes = difference(before.dice, after.dice), difference(before.work, after.work)
        rows.append((before.name, after.name, *_ends(changes[0]), *_ends(changes[1])))
    columns = tuple(Column(head, form) for head, form in zip(heads, forms, strict=True))
    note = "Mean change on the same held-out patients, with its interval."
    return Sheet(
        f"learning-steps-{strategy}", f"Change with every round, {strategy}", note, columns, tuple(rows), words=2
    )


def _cases(rows: Sequence[CaseWork]) -> Sheet:
    names = (
        "case",
        "patient",
        "strategy",
        "is_held_out",
        "models",
        "draft_dice",
        "actions",
        "seconds",
        "unchanged",
        "dice",
    )
    found = tuple(
        tuple("yes" if value is True else "no" if value is False else value for value in map(row.as_dict().get, names))
        for row in rows
    )
    columns = tuple(Column(name.replace("_", " "), ".4f") for name in names)
    note = "Every case as it was worked on. The draft's and the result's Dice are against the reference."
    return Sheet("learning-cases", "Cases", note, columns, found, words=4)


def _ends(interval: Interval) -> tuple[float | None, float | None, float | None]:
    return interval.value, interval.lower, interval.upper


def _by_patient(rows: Sequence[CaseWork], name: str) -> Mapping[str, float]:
    return patient_means((row.patient, float(row.as_dict()[name])) for row in rows)


__all__ = ["PAGE_NAME", "curve_points", "rose_every_round", "rounds_report"]

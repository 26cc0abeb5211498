"""What Dice goes with: tissue type (MSTT-199's figure 7), volume (figure 8) and grey value (figure 9)."""

from collections.abc import Callable, Sequence

import numpy as np

from datasets.pages.boxes import boxes
from datasets.pages.sheets import Column, Figure, Part, Sheet
from training.measures.statistics import pearson_r
from training.reports.case_facts import CaseFacts
from training.reports.plots import Cloud, clouds
from training.reports.scores import ModelScores
from training.reports.summaries import Facts, dice_of

_FEWEST = 3
"""Two points always lie on a line."""


def relation_parts(models: Sequence[ModelScores], facts: Facts) -> list[Part]:
    """Figure 7 of all models, figures 8 and 9 of each."""
    found: list[Part] = [_types(models, facts)]
    kinds = sorted({kind for each in facts.by_case.values() for kind in each.grey})
    for at, model in enumerate(models, start=1):
        found.append(_against_volume(model, facts, at))
        found += [_against_grey(model, facts, kind, at) for kind in kinds]
    return found


def _types(models: Sequence[ModelScores], facts: Facts) -> Figure:
    rows = tuple(
        (model.name, each.case, each.cohort, each.tissue_type, dice)
        for model in models
        for each, dice in dice_of(model, facts.by_case.values())
    )
    columns = (*map(Column, ("model", "case", "cohort", "tissue type")), Column("Dice", ".3f"))
    note = "Every case of every cohort (MSTT-199, figure 7). Boxes: middle half and median."
    sheet = Sheet("figure-7-dice-by-tissue-type", "Dice by tissue type", note, columns, rows, words=4)
    groups = {
        facts.counted(name): {
            model.name: [
                (f"{model.name}, {each.case}: {dice:.3f}", dice)
                for each, dice in dice_of(model, facts.by_case.values())
                if each.tissue_type == name
            ]
            for model in models
        }
        for name in facts.names(lambda each: each.tissue_type)
    }
    return Figure(sheet, boxes(groups, y_title="Dice", top=1.0))


def _against_volume(model: ModelScores, facts: Facts, number: int) -> Figure:
    cases = [each for each in facts.by_case.values() if each.volume_ml > 0]
    return _against(
        model,
        [(each, float(np.log10(each.volume_ml))) for each in cases],
        name=f"figure-8-volume-{number}",
        title=f"Dice against volume: {model.name}",
        note="Lines: least squares against the logarithm to base ten of the volume (MSTT-199, figure 8).",
        x=Column("volume (ml)", ".1f"),
        shown=lambda value: 10**value,
    )


def _against_grey(model: ModelScores, facts: Facts, kind: str, number: int) -> Figure:
    return _against(
        model,
        [(each, each.grey[kind]) for each in facts.by_case.values() if kind in each.grey],
        name=f"figure-9-grey-{kind}-{number}",
        title=f"Dice against the mean grey value, {kind}: {model.name}",
        note="Grey values as in figure 4; lines: least squares (MSTT-199, figure 9).",
        x=Column("grey value", ".1f"),
        shown=None,
    )


def _against(
    model: ModelScores,
    cases: Sequence[tuple[CaseFacts, float]],
    *,
    name: str,
    title: str,
    note: str,
    x: Column,
    shown: Callable[[float], float] | None,
) -> Figure:
    """Dice against a number, in the colours of the tissue types; `shown` undoes a logarithm for what people read."""
    read = shown or (lambda value: value)
    drawn = [(each, value, dice) for each, value in cases for _, dice in dice_of(model, [each])]
    rows = tuple((each.case, each.tissue_type, read(value), dice) for each, value, dice in drawn)
    sheet = Sheet(name, title, note, (Column("case"), Column("tissue type"), x, Column("Dice", ".3f")), rows, words=2)
    types = sorted({each.tissue_type for each, _, _ in drawn})
    found, lines = [], []
    for kind in types:
        points = [(each, value, dice) for each, value, dice in drawn if each.tissue_type == kind]
        line = _line([(value, dice) for _, value, dice in points])
        lines.append((kind, len(points), *line))
        marks = [(f"{each.case}: {x.text(read(value))}, Dice {dice:.3f}", value, dice) for each, value, dice in points]
        found.append(Cloud(kind, marks, None if line[0] is None else line[:2]))
    trend = Sheet(
        f"{name}-lines",
        f"Trend lines: {title}",
        "",
        (
            Column("tissue type"),
            Column("cases"),
            Column("slope", ".4f"),
            Column("intercept", ".4f"),
            Column("R²", ".3f"),
        ),
        tuple(lines),
    )
    if not drawn:
        return Figure(sheet, "")
    return Figure(sheet, clouds(found, x_title=x.head, y_title="Dice", of_ten=shown is not None), trend)


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float] | tuple[None, None, None]:
    """Slope, intercept and R² of a least-squares line; None for fewer than three points or where they do not vary."""
    xs, ys = np.array(points).T
    r = pearson_r(xs, ys) if len(points) >= _FEWEST else None
    if r is None:
        return None, None, None
    slope, start = np.polyfit(xs, ys, 1)
    return float(slope), float(start), r * r

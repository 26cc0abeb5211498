"""Volumes and diameters against the references', after Bland and Altman (InteractiveNet, figure S3)."""

from collections.abc import Iterator, Sequence

import numpy as np

from datasets.pages.sheets import Column, Figure, Part, Sheet, Value
from training.measures.intervals import mean_interval
from training.measures.statistics import bland_altman, pearson_r
from training.reports.plots import dice_legend, percent_plot
from training.reports.scores import ModelScores
from training.reports.summaries import Facts

_SIZES = {
    "volume_ml": "volume (ml)",
    "diameter_mm": "transverse diameter (mm)",
    "diameter_3d_mm": "3D diameter (mm)",
}


def agreement_parts(models: Sequence[ModelScores], facts: Facts) -> list[Part]:
    """A plot in percent for each model and size, and one table of biases, limits and correlations."""
    rows: list[tuple[Value, ...]] = []
    figures: list[Part] = []
    for at, model in enumerate(models, start=1):
        for size, words in _SIZES.items():
            pairs = list(_pairs(model, facts, size))
            if pairs:
                figure, row = _figure(model, pairs, facts, (f"figure-bland-altman-{size.split('_m')[0]}-{at}", words))
                figures.append(figure)
                rows.append(row)
    columns = (
        *map(Column, ("model", "size", "cases")),
        *(Column(head, ".1f") for head in ("bias (%)", "from", "to", "lower limit (%)", "upper limit (%)")),
        Column("r", ".3f"),
    )
    note = (
        "Predicted minus reference in percent of both's mean; from and to: 95 % interval of the bias by patient; "
        "limits of agreement: bias ± 1.96 SD; r: Pearson's, of the sizes themselves."
    )
    return [Sheet("table-agreement", "Agreement of sizes", note, columns, tuple(rows), words=2), *figures]


def _pairs(model: ModelScores, facts: Facts, size: str) -> Iterator[tuple[str, float, float, float]]:
    """Case, predicted, reference and Dice."""
    for case in facts.by_case:
        if case in model.scores:
            score = model.scores[case]
            predicted, reference = score.sizes[size], score.reference_sizes[size]
            if predicted is not None and reference is not None:
                yield case, predicted, reference, score.dice


def _figure(
    model: ModelScores, pairs: Sequence[tuple[str, float, float, float]], facts: Facts, named: tuple[str, str]
) -> tuple[Figure, tuple[Value, ...]]:
    name, words = named
    one, other = (np.array([pair[place] for pair in pairs]) for place in (1, 2))
    mean = (one + other) / 2
    percent = np.divide(100.0 * (one - other), mean, out=np.zeros_like(mean), where=mean > 0)
    found = bland_altman(percent, np.zeros_like(percent))
    bias = mean_interval(percent.tolist(), [facts.by_case[pair[0]].patient for pair in pairs])
    rows = tuple(
        (case, predicted, reference, float(off), dice)
        for (case, predicted, reference, dice), off in zip(pairs, percent, strict=True)
    )
    columns = (
        *(Column(head, ".1f") for head in (f"predicted {words}", f"reference {words}", "difference (%)")),
        Column("Dice", ".3f"),
    )
    title = f"Bland-Altman, {words}: {model.name}"
    sheet = Sheet(name, title, "Every dot is a case.", (Column("case"), *columns), rows)
    marks = [
        (f"{case}: {off:.1f} %, {predicted:.1f} against {reference:.1f}", float(middle), float(off), dice)
        for (case, predicted, reference, dice), off, middle in zip(pairs, percent, mean, strict=True)
    ]
    drawing = dice_legend() + percent_plot(marks, (found.lower, found.bias, found.upper), x_title=f"mean {words}")
    row = (
        model.name,
        words,
        found.n,
        found.bias,
        bias.lower,
        bias.upper,
        found.lower,
        found.upper,
        pearson_r(one, other),
    )
    return Figure(sheet, drawing, is_narrow=True), row

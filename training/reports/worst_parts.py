"""The cases that a model drew worst and best, with pictures where its masks were kept (MSTT-199's figure 6)."""

from collections.abc import Mapping, Sequence
from html import escape

from datasets.pages.sheets import Column, Figure, Part, Sheet
from datasets.pictures.outlined_slice import OutlinedSlice
from training.measures.metrics import is_miss
from training.reports.scores import ModelScores
from training.reports.summaries import Facts

SHOWN_CASES = 6
"""Cases at either end: a page is looked at, and more is in the CSV."""

Pictures = Mapping[tuple[str, str], OutlinedSlice]
"""By model and case."""


def shown_cases(model: ModelScores) -> list[str]:
    """The cases whose pictures are shown: the worst, then the best, each once."""
    ordered = sorted(model.scores, key=lambda case: (model.scores[case].dice, case))
    worst = ordered[:SHOWN_CASES]
    return worst + [case for case in reversed(ordered[-SHOWN_CASES:]) if case not in worst]


def worst_parts(models: Sequence[ModelScores], facts: Facts, pictures: Pictures) -> list[Part]:
    """For each model all cases from the worst on as a sheet, and the pictures of both ends."""
    return [_worst(model, facts, pictures, at) for at, model in enumerate(models, start=1)]


def _worst(model: ModelScores, facts: Facts, pictures: Pictures, number: int) -> Figure:
    ordered = sorted(model.scores, key=lambda case: (model.scores[case].dice, case))
    columns = (
        *map(Column, ("case", "cohort", "tissue type", "site", "miss", "learned from")),
        *(Column(head, ".3f") for head in ("Dice", "surface Dice at 1 mm")),
        *(Column(head, ".1f") for head in ("HD95 (mm)", "volume (ml)", "reference volume (ml)")),
    )
    rows = [_row(model, facts, case) for case in ordered]
    title = f"Worst and best cases: {model.name}"
    note = "Green: reference; red: predicted (MSTT-199, figure 6). The CSV has all cases."
    sheet = Sheet(f"figure-6-cases-{number}", title, note, columns, tuple(rows), words=6)
    beneath = Sheet(f"table-worst-{number}", title, "", columns, tuple(rows[:SHOWN_CASES]), words=6)
    return Figure(sheet, _gallery(model, pictures), beneath)


def _row(model: ModelScores, facts: Facts, case: str) -> tuple[str | float | None, ...]:
    score, about = model.scores[case], facts.by_case[case]
    words = (case, about.cohort, about.tissue_type, about.site)
    marks = ("yes" if is_miss(score.dice) else "no", "yes" if case in model.learned_from else "no")
    sizes = (score.sizes["volume_ml"], score.reference_sizes["volume_ml"])
    return (*words, *marks, score.dice, score.surface_dice_1mm, score.hd95_mm, *sizes)


def _gallery(model: ModelScores, pictures: Pictures) -> str:
    shown = [(case, pictures[model.name, case]) for case in shown_cases(model) if (model.name, case) in pictures]
    if not shown:
        return '<p class="soft">No pictures: the masks that this model drew were not given.</p>'
    return f'<div class="gallery">{"".join(_picture(model, case, found) for case, found in shown)}</div>'


def _picture(model: ModelScores, case: str, found: OutlinedSlice) -> str:
    words = f"{case}, slice {found.slice_index}: Dice {model.scores[case].dice:.3f}"
    alt = f"{case} with the outlines of the reference and of {model.name}"
    return f'<figure><img src="{found.data_uri}" alt="{escape(alt)}"><figcaption>{escape(words)}</figcaption></figure>'

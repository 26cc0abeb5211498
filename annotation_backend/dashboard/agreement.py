"""Agreement of readers, as the page of agreement has it: what everybody may see, without open blind stages."""

from collections.abc import Iterator, Mapping
from typing import Any

from annotation_backend.dashboard.tables import Table
from annotation_backend.readers.agreement.summary import CLOSED
from annotation_backend.readers.models import StudyAgreement
from annotation_backend.studies.models import Study

_FIGURES = {"dice": "Dice", "surface_dice_1mm": "Surface Dice at 1 mm", "hd95_mm": "HD95 (mm)"}

Row = list[str | int | float | None]


def agreement_table(study: Study) -> Table:
    """Means over pairs of readers, and kappas of scores, each with its interval by patient; one query."""
    kept = StudyAgreement.objects.filter(study=study).first()
    content = kept.content.get(CLOSED, {}) if kept is not None else {}
    titles = {stage.name: stage.title for stage in study.protocol.steps}
    return Table(
        "agreement",
        "Agreement of readers",
        ("Figure", "Value", "95 % from", "95 % to", "Cases or masks"),
        [*_masks(content.get("masks", ()), titles), *_scores(content.get("scores", ()), titles)],
        "Of stages that are no longer blind. Intervals by bootstrap over patients; the page of agreement has pairs.",
        plot="bar",
        plotted=("Value",),
    )


def _masks(rows: Iterator[Mapping[str, Any]], titles: Mapping[str, str]) -> Iterator[Row]:
    for row in rows:
        for name, words in _FIGURES.items():
            yield _row(f"{titles.get(row['stage'], row['stage'])}, {row['label']}: {words}", row[name], row["cases"])


def _scores(rows: Iterator[Mapping[str, Any]], titles: Mapping[str, str]) -> Iterator[Row]:
    for row in rows:
        yield _row(f"{titles.get(row['stage'], row['stage'])}: Fleiss' kappa of scores", row["fleiss"], row["masks"])


def _row(words: str, interval: Mapping[str, float | None], count: int) -> Row:
    values = (interval[name] for name in ("value", "lower", "upper"))
    return [words, *(None if value is None else round(value, 3) for value in values), count]

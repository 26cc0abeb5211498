"""The whole report: one page, and a CSV beside it for every table and figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from datasets.pages.page import card, whole_page
from datasets.pages.sheets import Column, Part, Sheet, as_html, sheets_of
from training.reports.agreement_parts import agreement_parts
from training.reports.case_facts import CaseFacts
from training.reports.cohort_parts import cohort_parts
from training.reports.paired_tests import paired_parts
from training.reports.relation_parts import relation_parts
from training.reports.result_parts import result_parts
from training.reports.scores import ModelScores
from training.reports.summaries import Facts
from training.reports.worst_parts import Pictures, worst_parts

PAGE_NAME = "report.html"


@dataclass(frozen=True)
class ModelReport:
    """A report as files.

    Args:
        page: The HTML page.
        tables: Each CSV by its name.
    """

    page: str
    tables: Mapping[str, str]


def model_report(
    models: Sequence[ModelScores], facts: Mapping[str, CaseFacts], pictures: Pictures, *, about: str = ""
) -> ModelReport:
    """The report of some models.

    Args:
        models: From `read_models`.
        facts: From `facts_of`.
        pictures: Of worst and best cases; may be empty.
        about: A remark on the data and their limits, in plain text.
    """
    known = Facts(facts)
    sections: dict[str, list[Part]] = {
        "What was evaluated": [_models(models)],
        "Cohort": cohort_parts(known),
        "Results": [*result_parts(models, known), *relation_parts(models, known)],
        "Differences": paired_parts(models, known),
        "Sizes": agreement_parts(models, known),
        "Cases": worst_parts(models, known, pictures),
    }
    content = card("About the data", f"<p>{escape(about)}</p>") if about else ""
    for title, parts in sections.items():
        shown = as_html(parts)
        content += f"<h2>{escape(title)}</h2>{shown}" if shown else ""
    sheets = [sheet for parts in sections.values() for sheet in sheets_of(parts) if sheet.rows]
    return ModelReport(
        whole_page(f"Report of {len(models)} model(s)", content),
        {f"{sheet.name}.csv": sheet.as_csv() for sheet in sheets},
    )


def _models(models: Sequence[ModelScores]) -> Sheet:
    rows = tuple(
        (
            model.name,
            model.method,
            " + ".join(model.images),
            f"{len(model.folds)} folds" if model.folds else "one model",
            "slices" if model.is_by_slice else "volumes",
            len(model.scores),
            len(model.refused),
            len([case for case in model.scores if case in model.learned_from]),
        )
        for model in models
    )
    heads = ("model", "method", "images", "trained as", "measured", "cases", "refused", "cases it learned from")
    note = (
        "Refused cases are in no figure; they are named in the evaluations. Figures of cases that a model learned from "
        "are not held-out."
    )
    return Sheet("models", "Models", note, tuple(map(Column, heads)), rows, words=5)

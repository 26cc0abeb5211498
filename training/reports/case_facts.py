"""What a report knows of its cases beside their masks: patient, tissue type, site, cohort, grey values."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from datasets.errors import RejectedInput
from training.reports.scores import ModelScores

UNKNOWN = "unknown"
OWN = "own"
"""Name of the cohort where no other is given."""

_SAME_VOLUME = 1.05
"""Masks of one tumour on two images differ by less; more, and models were measured against different masks."""

_LIMIT = 1 << 24
"""Most characters of a table of cases."""


@dataclass(frozen=True)
class CaseFacts:
    """One case.

    Args:
        case: Its name, as the evaluations have it.
        patient: Code of the patient, by the table or else by the evaluations; the case's name where nothing says.
        tissue_type: `UNKNOWN` where nothing says.
        site: Anatomical site; `UNKNOWN` where nothing says.
        cohort: Such as ``own`` and ``external``.
        volume_ml: Of the reference.
        grey: Mean grey value of the tumour, 0 to 255 between the 0.5th and 99.5th percentile, by kind of image.
    """

    case: str
    patient: str
    tissue_type: str = UNKNOWN
    site: str = UNKNOWN
    cohort: str = OWN
    volume_ml: float = 0.0
    grey: Mapping[str, float] = field(default_factory=dict)


def read_case_table(text: str) -> dict[str, dict[str, str]]:
    """The rows of a table of cases, such as a release's ``cases.csv``, by case.

    Args:
        text: CSV with the column ``case`` and any of ``patient``, ``tissue_type``, ``anatomical_site``, ``cohort``.

    Raises:
        RejectedInput: There is no such column, a case comes twice, or this is no CSV (``report-case-table``).
    """
    try:
        rows = list(csv.DictReader(io.StringIO(text[:_LIMIT]), strict=True))
        found = {row["case"].strip(): {key: (value or "").strip() for key, value in row.items() if key} for row in rows}
    except (csv.Error, KeyError, AttributeError) as error:
        raise _no_table("has no column case, or is no CSV") from error
    if not rows or len(found) < len(rows) or "" in found:
        raise _no_table("is empty, names a case twice, or has a row without a case")
    return found


def facts_of(
    models: Sequence[ModelScores],
    table: Mapping[str, Mapping[str, str]],
    grey: Mapping[str, Mapping[str, float]],
) -> dict[str, CaseFacts]:
    """The facts of all cases that any model drew, in the order of their names.

    Args:
        models: The models.
        table: From `read_case_table`; empty where none was given.
        grey: Mean grey values by case and kind of image; may lack cases.

    Raises:
        RejectedInput: The table lacks a case (``report-case-unknown``), or models of one cohort were tried on other
            cases (``report-other-cases``).
    """
    cases = sorted({case for model in models for case in model.scores})
    require_listed(cases, table)
    found = {case: _facts(case, models, table.get(case, {}), grey.get(case, {})) for case in cases}
    _require_same_cases(models, {case: row.get("cohort") or OWN for case, row in table.items()})
    return found


def require_listed(cases: Sequence[str], table: Mapping[str, Mapping[str, str]]) -> None:
    """Refuses cases that a table of cases lacks; an empty one is none.

    Raises:
        RejectedInput: ``report-case-unknown``.
    """
    if table and (missing := [case for case in cases if case not in table]):
        raise RejectedInput(
            "report-case-unknown",
            f"The table of cases lacks {len(missing)} case(s): {', '.join(missing[:5])}.",
            remedy="Add a row for each.",
        )


def mask_differences(models: Sequence[ModelScores]) -> list[str]:
    """Cases whose references differ in volume by more than a twentieth from one model to another."""
    volumes: dict[str, list[float]] = {}
    for model in models:
        for case, score in model.scores.items():
            volumes.setdefault(case, []).append(score.reference_sizes["volume_ml"] or 0.0)
    return sorted(case for case, found in volumes.items() if max(found) > _SAME_VOLUME * min(found))


def _facts(case: str, models: Sequence[ModelScores], row: Mapping[str, str], grey: Mapping[str, float]) -> CaseFacts:
    patient = next((model.patients[case] for model in models if case in model.patients), case)
    volume = next(model.scores[case].reference_sizes["volume_ml"] for model in models if case in model.scores)
    return CaseFacts(
        case,
        row.get("patient") or patient,
        row.get("tissue_type") or UNKNOWN,
        row.get("anatomical_site") or UNKNOWN,
        row.get("cohort") or OWN,
        volume or 0.0,
        grey,
    )


def _require_same_cases(models: Sequence[ModelScores], cohorts: Mapping[str, str]) -> None:
    """In each cohort, every model that was tried there was tried on the same cases."""
    for cohort in {OWN, *cohorts.values()}:
        tried = {
            model.name: frozenset(case for case in model.tried if cohorts.get(case, OWN) == cohort) for model in models
        }
        tried = {name: cases for name, cases in tried.items() if cases}
        for name, cases in tried.items():
            first = next(iter(tried))
            if odd := sorted(cases ^ tried[first]):
                raise RejectedInput(
                    "report-other-cases",
                    f"{name} was evaluated on other cases than {first}: {len(odd)} are only in one of them, such as "
                    f"{', '.join(odd[:3])}.",
                    remedy="Evaluate both on the same cases, or say in the table's column cohort which cases are "
                    "another cohort.",
                )


def _no_table(why: str) -> RejectedInput:
    return RejectedInput(
        "report-case-table",
        f"The table of cases {why}.",
        remedy="Give CSV with the columns case, patient, tissue_type, anatomical_site and cohort; case is needed.",
    )

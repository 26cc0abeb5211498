"""Models compared on the cases that they share: paired tests over patients, corrected for their number."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from datasets.errors import RejectedInput
from training.measures.intervals import mean_interval
from training.measures.statistics import (
    Comparison,
    Scores,
    adjusted,
    average_over_clicks,
    compare,
    mean_sd,
    patient_means,
)

COMPARED_CLICKS = (0, 1, 5, 10)
"""Numbers of clicks after which Dice is compared: those that 2S-ICR and DeepGrow print."""

AVERAGED = {"dice": "Dice", "assd_mm": "ASSD (mm)", "hd95_mm": "HD95 (mm)", "surface_dice_1mm": "Surface Dice at 1 mm"}
"""Measures whose average over 1 to 10 clicks is compared; for methods of one request, their one value.

A request with six points or boxes is not one click, and a mean over slices is no Dice of a volume: such measures have
names of their own, so that they are compared only with each other."""

Document = Mapping[str, Any]
"""An evaluation as `Evaluation.as_dict` gives it."""


@dataclass(frozen=True)
class Paired:
    """One measure of two models on the patients that both drew.

    Args:
        found: The tests over patients; differences are first minus second.
        means: Mean over these patients, of the first model and of the second; None where there is none.
        interval: Lower and upper end of the 95 % interval of the mean difference; None where there is none.
        without: Cases of both models for which one of them has no value, such as a distance where it drew nothing:
            they are in no test.
    """

    found: Comparison
    means: tuple[float | None, float | None]
    interval: tuple[float | None, float | None]
    without: int


@dataclass(frozen=True)
class ComparedMeasure:
    """One measure of two models.

    Args:
        first: Name of one model.
        second: Name of the other.
        measure: Name of the measure.
        found: The tests over patients; differences are first minus second.
        without: Cases of both for which one has no value; they are in no test.
    """

    first: str
    second: str
    measure: str
    found: Comparison
    without: int


def paired_by_patient(one: Scores, other: Scores, patient_of: Mapping[str, str]) -> Paired:
    """Compares two models by patient, each the mean of those cases of theirs for which both models have a value.

    Args:
        one: A measure of the first model by case.
        other: Of the second.
        patient_of: Code of each case's patient; a case that it lacks is a patient of its own.
    """
    shared = [(case, one[case], other[case]) for case in one if case in other]
    known = [(patient_of.get(case, case), a, b) for case, a, b in shared if a is not None and b is not None]
    first = patient_means((patient, a) for patient, a, _ in known)
    second = patient_means((patient, b) for patient, _, b in known)
    interval = mean_interval([first[name] - second[name] for name in first], list(first))
    return Paired(
        compare(first, second),
        (mean_sd(list(first.values())).mean, mean_sd(list(second.values())).mean),
        (interval.lower, interval.upper),
        len(shared) - len(known),
    )


def patients_of(document: Document) -> dict[str, str]:
    """Code of each case's patient, as far as an evaluation knows them.

    Raises:
        RejectedInput: The document is not that of an evaluation.
    """
    try:
        return {str(case): str(code) for case, code in document["summary"].get("patients", {}).items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise not_an_evaluation() from error


def compare_evaluations(documents: Sequence[Document]) -> tuple[ComparedMeasure, ...]:
    """Tests each pair of models on each measure that both have; p-values are adjusted over all tests together.

    Raises:
        RejectedInput: A document is not that of an evaluation.
    """
    named = list(zip(titles(documents), documents, strict=True))
    patient_of = {case: code for document in documents for case, code in patients_of(document).items()}
    pairs = [
        (first, second, measure, paired_by_patient(one[measure], other[measure], patient_of))
        for (first, one), (second, other) in combinations([(name, _measures(found)) for name, found in named], 2)
        for measure in one
        if measure in other
    ]
    rows = [ComparedMeasure(one, other, measure, paired.found, paired.without) for one, other, measure, paired in pairs]
    t_tests = adjusted([row.found.t_test_p for row in rows])
    wilcoxons = adjusted([row.found.wilcoxon_p for row in rows])
    return tuple(
        replace(row, found=replace(row.found, t_test_adjusted=t_test, wilcoxon_adjusted=wilcoxon))
        for row, t_test, wilcoxon in zip(rows, t_tests, wilcoxons, strict=True)
    )


def titles(documents: Sequence[Document]) -> tuple[str, ...]:
    """Name of each document's model; duplicates get their user and, if need be, a number."""
    try:
        names = [str(document["model"]) for document in documents]
        with_user = [f"{document['model']} ({document['summary']['user']})" for document in documents]
    except (KeyError, TypeError) as error:
        raise not_an_evaluation() from error
    names = [long if Counter(names)[name] > 1 else name for name, long in zip(names, with_user, strict=True)]
    return tuple(
        f"{name}, {names[: place + 1].count(name)}" if Counter(names)[name] > 1 else name
        for place, name in enumerate(names)
    )


def not_an_evaluation() -> RejectedInput:
    """The refusal of a document that is not that of an evaluation."""
    return RejectedInput(
        "evaluation-document",
        "This is not the JSON document of an evaluation (model, cases, summary).",
        remedy="Write it with evaluate_model --json.",
    )


def _measures(document: Document) -> dict[str, Scores]:
    """Scores by case of each measure that can be compared, by the measure's name."""
    try:
        cases, slices = document["cases"], ", slice by slice" if document["summary"]["per_slice"] else ""
        if makes_one_request(document):
            found = {f"{words}, one request": _by_case(cases, name) for name, words in AVERAGED.items()}
        else:
            found = {f"Dice, {clicks_in_words(count)}": _after(cases, count) for count in COMPARED_CLICKS}
            found |= {f"{words}, mean of 1–10": _averages(cases, name) for name, words in AVERAGED.items()}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise not_an_evaluation() from error
    return {
        name + slices: scores for name, scores in found.items() if any(score is not None for score in scores.values())
    }


def makes_one_request(document: Document) -> bool:
    """Whether there is one value for each case, not a curve against clicks."""
    return len(document["summary"]["clicks"]) == 1


def clicks_in_words(count: int) -> str:
    """A number of clicks in words."""
    return "1 click" if count == 1 else f"{count} clicks"


def _by_case(cases: Sequence[Mapping[str, Any]], name: str) -> dict[str, float | None]:
    return {case["case"]: case[name][0] for case in cases}


def _averages(cases: Sequence[Mapping[str, Any]], name: str) -> dict[str, float | None]:
    return {case["case"]: average_over_clicks(case["clicks"], case[name]) for case in cases}


def _after(cases: Sequence[Mapping[str, Any]], count: int) -> dict[str, float | None]:
    """Dice of each case after `count` clicks."""
    return {case["case"]: dict(zip(case["clicks"], case["dice"], strict=True)).get(count) for case in cases}

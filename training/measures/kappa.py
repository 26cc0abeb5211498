"""Chance-corrected agreement of scores: Cohen's kappa of two readers, Fleiss' of several.

Cohen's counts only what both readers scored. Fleiss' leaves out a thing that fewer than two readers scored; the others
count with as many scores as they have: a thing's agreement is the share of its pairs of scores that are equal, and each
score weighs the same in the shares of the categories. With all scores there, this is Fleiss' own formula.

A kappa is None where there is nothing to compare, or where chance alone gives full agreement (one category only).

Source: Cohen, Educ Psychol Meas 1960;20:37-46, and Psychol Bull 1968;70:213-220; Fleiss, Psychol Bull 1971;76:378-382.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from datasets.errors import RejectedInput
from training.measures.bootstrap import Numbers

Score = int | str | None
"""What one reader gave one thing; None where nothing was given."""


class Weighting(StrEnum):
    """How bad it is that two scores differ."""

    NONE = "none"
    """Any two that differ are as bad."""
    LINEAR = "linear"
    """By the number of steps between them."""
    QUADRATIC = "quadratic"
    """By its square."""


def cohen_kappa(
    first: Sequence[Score], second: Sequence[Score], categories: Sequence[int | str], *, weighting: Weighting
) -> float | None:
    """Cohen's kappa of two readers.

    Args:
        first: One reader's scores; None where there is none.
        second: The other's, of the same things.
        categories: All scores that can be given, in their order.
        weighting: How bad a difference is.

    Raises:
        RejectedInput: There are not as many scores of one as of the other (``scores-uneven``), or a score is none of
            the categories (``score-unknown``).
    """
    parts = cohen_parts(first, second, categories, weighting=weighting)
    return known(float(cohen_of_sums(parts.sum(axis=0), weighting)))


def fleiss_kappa(scores: Sequence[Sequence[Score]], categories: Sequence[int | str]) -> float | None:
    """Fleiss' kappa of two or more readers, who need not be the same for each thing.

    Args:
        scores: For each thing, the scores that it got; None where a reader gave none.
        categories: All scores that can be given.

    Raises:
        RejectedInput: A score is none of the categories (``score-unknown``).
    """
    return known(float(fleiss_of_sums(fleiss_parts(scores, categories).sum(axis=0))))


def cohen_parts(
    first: Sequence[Score], second: Sequence[Score], categories: Sequence[int | str], *, weighting: Weighting
) -> Numbers:
    """(N, 2 K + 1) what each thing adds to Cohen's kappa; nothing where one of both gave no score.

    A 1 at the first reader's category, a 1 at the second's, and how bad their difference is.

    Raises:
        RejectedInput: As `cohen_kappa`.
    """
    if len(first) != len(second):
        raise RejectedInput(
            "scores-uneven",
            f"Expected as many scores of one reader as of the other, got {len(first)} and {len(second)}.",
            remedy="Give None where a reader gave no score.",
        )
    size, badness = len(categories), _badness(len(categories), weighting)
    found = np.zeros((len(first), 2 * size + 1))
    for thing, (one, other) in enumerate(zip(first, second, strict=True)):
        if one is not None and other is not None:
            at, beside = _place(one, categories), _place(other, categories)
            found[thing, [at, size + beside]] = 1.0
            found[thing, -1] = badness[at, beside]
    return found


def fleiss_parts(scores: Sequence[Sequence[Score]], categories: Sequence[int | str]) -> Numbers:
    """(N, K + 2) what each thing adds to Fleiss' kappa: its scores by category, its agreement, and that it counts."""
    found = np.zeros((len(scores), len(categories) + 2))
    for thing, given in enumerate(scores):
        places = [_place(score, categories) for score in given if score is not None]
        if len(places) < 2:
            continue
        counts = np.bincount(places, minlength=len(categories))
        agreement = (counts * (counts - 1)).sum() / (len(places) * (len(places) - 1))
        found[thing] = [*counts, agreement, 1.0]
    return found


def cohen_of_sums(sums: Numbers, weighting: Weighting) -> Numbers:
    """Cohen's kappa of sums of `cohen_parts` (..., 2 K + 1); NaN where there is none."""
    size = sums.shape[-1] // 2
    one, other, badness = sums[..., :size], sums[..., size:-1], sums[..., -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = ((one @ _badness(size, weighting)) * other).sum(-1) / one.sum(-1)
        kappas: Numbers = 1.0 - badness / by_chance
    return kappas


def fleiss_of_sums(sums: Numbers) -> Numbers:
    """Fleiss' kappa of sums of `fleiss_parts` (..., K + 2); NaN where there is none."""
    by_category, agreement, things = sums[..., :-2], sums[..., -2], sums[..., -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = ((by_category / by_category.sum(-1, keepdims=True)) ** 2).sum(-1)
        kappas: Numbers = (agreement / things - by_chance) / (1.0 - by_chance)
    return kappas


def known(kappa: float) -> float | None:
    """The number itself; None for what is no finite number."""
    return kappa if math.isfinite(kappa) else None


def _badness(size: int, weighting: Weighting) -> Numbers:
    """(K, K) how bad it is that one reader gives a category and the other another one."""
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    return {Weighting.NONE: (steps > 0).astype(np.float64), Weighting.LINEAR: steps, Weighting.QUADRATIC: steps**2}[
        weighting
    ]


def _place(score: int | str, categories: Sequence[int | str]) -> int:
    try:
        return list(categories).index(score)
    except ValueError as error:
        raise RejectedInput(
            "score-unknown",
            f"Expected one of the scores {', '.join(map(str, categories))}, got {score}.",
            remedy="Give all scores of the study's protocol as categories.",
        ) from error

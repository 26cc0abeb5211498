"""Statistics of results: plain means, agreement of two measurements, clicks needed, tests between models.

A statistic that does not exist (one case has no spread, equal values have no correlation) is None, which JSON writes as
null; no function here fails on few or equal values.
"""

import math
import statistics
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.errors import RejectedInput

Scores = Mapping[str, float | None]
"""A measure by case; None where the case has none."""

_LIMITS = 1.96
"""Standard deviations to either side that hold 95 % of normally distributed differences."""


@dataclass(frozen=True)
class MeanSd:
    """Mean and sample standard deviation (n - 1) of the known values."""

    mean: float | None
    sd: float | None
    n: int


@dataclass(frozen=True)
class SplitMeans:
    """One measure of repeated random splits, each tried with its own model.

    Args:
        of_each: Mean over the cases of each split.
        over_splits: Mean and standard deviation of these.
    """

    of_each: tuple[float | None, ...]
    over_splits: MeanSd


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two measurements of the same things.

    Args:
        bias: Mean difference, measured minus reference.
        sd: Standard deviation of the differences.
        lower: Lower limit of agreement, bias - 1.96 sd.
        upper: Upper limit of agreement.
        pearson_r: Correlation of the two measurements.
        n: Pairs.
    """

    bias: float | None
    sd: float | None
    lower: float | None
    upper: float | None
    pearson_r: float | None
    n: int


@dataclass(frozen=True)
class Comparison:
    """One measure of two models on the cases, or patients, that both have.

    Args:
        n: How many there are.
        mean_difference: First minus second.
        sd_difference: Standard deviation of the differences.
        t_test_p: Two-sided paired t-test.
        wilcoxon_p: Two-sided Wilcoxon signed-rank test.
        t_test_adjusted: The same after Benjamini-Hochberg over a family of comparisons (`adjusted`); None before.
        wilcoxon_adjusted: Likewise.
    """

    n: int
    mean_difference: float | None
    sd_difference: float | None
    t_test_p: float | None
    wilcoxon_p: float | None
    t_test_adjusted: float | None = None
    wilcoxon_adjusted: float | None = None


def patient_means(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The mean of each patient's cases, so that a patient with many counts once; in the order in which patients come.

    Args:
        values: Code of the patient, and a value, of each case that has one.
    """
    found: dict[str, list[float]] = {}
    for patient, value in values:
        found.setdefault(patient, []).append(value)
    return {patient: statistics.mean(own) for patient, own in found.items()}


def mean_sd(values: Sequence[float | None]) -> MeanSd:
    """Mean and standard deviation of the values that are not None."""
    known = _known(values)
    mean = float(known.mean()) if known.size else None
    return MeanSd(mean, float(known.std(ddof=1)) if known.size > 1 else None, int(known.size))


def over_splits(values: Sequence[Sequence[float]]) -> SplitMeans:
    """The mean of repeated random splits' means.

    A case may be in several splits and another in none, so that the mean over cases is none of the splits.

    Args:
        values: Of each split those of its cases; a split without any is left out.
    """
    means = tuple(mean_sd(own).mean for own in values if len(own))
    return SplitMeans(means, mean_sd(means))


def bland_altman(measured: ArrayLike, reference: ArrayLike) -> BlandAltman:
    """Bias, limits of agreement and correlation of two measurements.

    Args:
        measured: (N,) one measurement of each thing.
        reference: (N,) the other.

    Raises:
        RejectedInput: There are not as many of one as of the other.

    Source: Altman and Bland, The Statistician 1983;32:307-317.
    """
    one, other = _pairs(measured, reference)
    difference = mean_sd(tuple(one - other))
    lower = upper = None
    if difference.mean is not None and difference.sd is not None:
        lower, upper = (difference.mean + sign * _LIMITS * difference.sd for sign in (-1, 1))
    return BlandAltman(difference.mean, difference.sd, lower, upper, pearson_r(one, other), difference.n)


def pearson_r(one: ArrayLike, other: ArrayLike) -> float | None:
    """Pearson's correlation; None for fewer than three pairs (two always lie on a line) or where either does not vary.

    Raises:
        RejectedInput: There are not as many of one as of the other.
    """
    a, b = _pairs(one, other)
    if a.size < 3 or not (_varies(a, np.abs(a).max()) and _varies(b, np.abs(b).max())):
        return None
    from scipy.stats import pearsonr

    return _finite(pearsonr(a, b).statistic)


def clicks_needed(clicks: Sequence[int], dice: Sequence[float], *, threshold: float) -> int | None:
    """The fewest clicks after which a Dice is reached; None where it never was: the count is censored.

    Args:
        clicks: Numbers of clicks, rising.
        dice: Dice after each.
        threshold: The Dice to reach.
    """
    return next((count for count, value in zip(clicks, dice, strict=True) if value >= threshold), None)


def median_of_censored(counts: Sequence[int | None]) -> float | None:
    """The median, where None counts as more than any number; None if half or more are None, or without values."""
    ordered = sorted(math.inf if count is None else count for count in counts)
    if not ordered:
        return None
    return _finite((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)


def average_over_clicks(
    clicks: Sequence[int], values: Sequence[float | None], *, first: int = 1, last: int = 10
) -> float | None:
    """Mean of a measure after `first` to `last` clicks; None where any of them is missing."""
    by_click = dict(zip(clicks, values, strict=True))
    wanted = [by_click.get(count) for count in range(first, last + 1)]
    return None if any(value is None for value in wanted) else mean_sd(wanted).mean


def compare(a: Scores, b: Scores) -> Comparison:
    """Tests whether two models differ on the cases that both have a score for.

    The t-test is None where the differences do not vary, Wilcoxon's test where all are 0.
    """
    shared = [case for case in a if a[case] is not None and b.get(case) is not None]
    one, other = _known([a[case] for case in shared]), _known([b[case] for case in shared])
    difference = mean_sd(tuple(one - other))
    t_test = _paired_t(one, other) if difference.n > 1 else None
    return Comparison(difference.n, difference.mean, difference.sd, t_test, _wilcoxon(one, other))


def adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini-Hochberg's adjusted p-values over one family; None stays None and does not count.

    Source: Benjamini and Hochberg, J R Stat Soc B 1995;57:289-300.
    """
    from scipy.stats import false_discovery_control

    known = _known(p_values)
    corrected = iter(false_discovery_control(known) if known.size else ())
    return [None if value is None else float(next(corrected)) for value in p_values]


def _paired_t(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    from scipy.stats import ttest_rel

    if not _varies(one - other, max(np.abs(one).max(), np.abs(other).max())):
        return None
    return _finite(ttest_rel(one, other).pvalue)


def _wilcoxon(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    from scipy.stats import wilcoxon

    if one.size < 2 or np.array_equal(one, other):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns that few pairs make the p-value approximate
        return _finite(wilcoxon(one, other).pvalue)


def _varies(values: NDArray[np.float64], largest: float) -> bool:
    """Whether values differ by more than rounding errors at the size of `largest`."""
    return bool(np.ptp(values) > 1e-12 * largest)


def _known(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([value for value in values if value is not None], dtype=np.float64)


def _pairs(one: ArrayLike, other: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(one, dtype=np.float64).ravel(), np.asarray(other, dtype=np.float64).ravel()
    if a.size != b.size:
        raise RejectedInput(
            "statistics-pairs",
            f"Expected as many values of one kind as of the other, got {a.size} and {b.size}.",
            remedy="Give one pair for each case.",
        )
    return a, b


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

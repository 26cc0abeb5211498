"""Bootstrap intervals by patient: patients are drawn with replacement, and all that is theirs comes along.

Cases of one patient are alike, so that drawing cases would make intervals too narrow. A statistic here is a function of
sums over patients (a mean is a sum of values divided by a number of cases, a kappa a function of a sum of confusion
matrices), so that thousands of resamples are one product of matrices.

Three methods are offered. Percentile and BCa are those of the books; with 20 patients and skewed values both cover too
rarely, since they do not know that the spread itself is estimated. The studentised one does, with a standard error by
leaving out each patient once, in every resample. Its coverage, in `docs/results`, makes it the one that is used.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 12 to 14; Davison and Hinkley, Bootstrap
Methods and their Application, 1997, section 5.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

Statistic = Callable[[Numbers], Numbers]
"""From sums (..., P) over patients to the statistic (...); NaN where there is none."""

RESAMPLES = 2000
FEWEST_PATIENTS = 3
"""With fewer there is no interval: two patients give three different resamples."""

LEVEL = 0.95

_AT_ONCE = 1 << 22
"""Numbers that are worked on together: some 32 MB."""


class IntervalMethod(StrEnum):
    """How an interval is made of the resamples."""

    PERCENTILE = "percentile"
    BCA = "bca"
    STUDENTISED = "studentised"


@dataclass(frozen=True)
class Interval:
    """A statistic with its interval at `LEVEL`.

    Args:
        value: The statistic of all patients; None where there is none.
        lower: None where there is no interval: too few patients, or no spread that could be estimated.
        upper: As lower.
        patients: How many patients there were.
        method: How it was made.
    """

    value: float | None
    lower: float | None
    upper: float | None
    patients: int
    method: IntervalMethod


def patient_interval(
    parts: Numbers,
    statistic: Statistic,
    *,
    seed: int,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    method: IntervalMethod = IntervalMethod.STUDENTISED,
    resamples: int = RESAMPLES,
) -> Interval:
    """A statistic of patients with its bootstrap interval; the same for the same seed.

    Args:
        parts: (N, P) what each patient adds to the sums that the statistic is worked out from.
        statistic: From sums to the statistic.
        seed: Of the random numbers.
        bounds: Smallest and largest value that the statistic can have; an interval never leaves them.
        method: How the interval is made.
        resamples: How often patients are drawn.
    """
    count = len(parts)
    value = float(statistic(parts.sum(axis=0)))
    if not np.isfinite(value) or count < FEWEST_PATIENTS:
        return Interval(value if np.isfinite(value) else None, None, None, count, method)
    ends = _ENDS[method](parts, _drawn(count, resamples, seed), statistic)
    lower, upper = (np.nan, np.nan) if ends is None else np.clip(ends, *bounds)
    if not np.isfinite([lower, upper]).all():
        return Interval(value, None, None, count, method)
    return Interval(value, float(lower), float(upper), count, method)


def _drawn(count: int, resamples: int, seed: int) -> Numbers:
    """(R, N) how often each patient comes in each resample; counting draws is ten times as fast as a multinomial."""
    draws = np.random.default_rng(seed).integers(count, size=(resamples, count))
    cells = (draws + np.arange(resamples)[:, None] * count).ravel()
    return np.bincount(cells, minlength=resamples * count).reshape(resamples, count).astype(np.float64)


def _percentile(parts: Numbers, drawn: Numbers, statistic: Statistic) -> Numbers | None:
    found = _finite(statistic(drawn @ parts))
    return np.asarray(np.quantile(found, _tails()), dtype=np.float64) if found.size else None


def _bca(parts: Numbers, drawn: Numbers, statistic: Statistic) -> Numbers | None:
    """Percentiles that are moved by the resamples' bias and by the skewness over patients left out."""
    from scipy.special import ndtr, ndtri

    found = _finite(statistic(drawn @ parts))
    value, without = statistic(parts.sum(axis=0)), _finite(statistic(parts.sum(axis=0) - parts))
    away = without.mean() - without if without.size else np.zeros(1)
    if not found.size or not np.any(away):
        return None
    skew = (away**3).sum() / (6.0 * (away**2).sum() ** 1.5)
    bias = ndtri(((found < value).mean() + (found <= value).mean()) / 2)
    moved = bias + ndtri(_tails())
    ends: Numbers = np.quantile(found, ndtr(bias + moved / (1.0 - skew * moved)))
    return ends


def _studentised(parts: Numbers, drawn: Numbers, statistic: Statistic) -> Numbers | None:
    """The value minus its standard error times the quantiles of how many errors the resamples lie off."""
    value, error = _with_error(parts, np.ones((1, len(parts))), statistic)
    rows = max(1, _AT_ONCE // parts.size)
    pieces = [_with_error(parts, drawn[at : at + rows], statistic) for at in range(0, len(drawn), rows)]
    values, errors = (np.concatenate(each) for each in zip(*pieces, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        off = (values - value) / errors
    off = off[~np.isnan(off)]
    if not off.size or not error[0] > 0:
        return None
    # A resample without spread lies infinitely many errors off: it counts, and no interpolation with it.
    ends: Numbers = value[0] - error[0] * np.quantile(off, _tails()[::-1], method="nearest")
    return ends


def _with_error(parts: Numbers, drawn: Numbers, statistic: Statistic) -> tuple[Numbers, Numbers]:
    """The statistic of each draw (R, N) and its standard error, by leaving out each drawn patient once."""
    sums, count = drawn @ parts, len(parts)
    values = statistic(sums)
    away = statistic(sums[:, None, :] - parts) - values[:, None]
    with np.errstate(invalid="ignore"):  # without one patient there may be no statistic
        squares = np.where(drawn > 0, drawn * away**2, 0.0).sum(axis=1)
    return values, np.sqrt((count - 1) / count * squares)


def _tails() -> Numbers:
    return np.array([(1.0 - LEVEL) / 2, (1.0 + LEVEL) / 2])


def _finite(values: Numbers) -> Numbers:
    finite: Numbers = values[np.isfinite(values)]
    return finite


_ENDS: dict[IntervalMethod, Callable[[Numbers, Numbers, Statistic], Numbers | None]] = {
    IntervalMethod.PERCENTILE: _percentile,
    IntervalMethod.BCA: _bca,
    IntervalMethod.STUDENTISED: _studentised,
}

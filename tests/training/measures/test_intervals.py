"""Intervals by patient: against scipy, by hand, and by how often they hold a truth that was planted."""

import numpy as np
import pytest

from benchmarks.interval_coverage import DICE_TRUTH, coverage, dice_of_cases, dice_parts, mean
from datasets.errors import RejectedInput
from training.measures.bootstrap import IntervalMethod, patient_interval
from training.measures.intervals import cohen_kappa_interval, fleiss_kappa_interval, mean_interval
from training.measures.kappa import Weighting, cohen_kappa, fleiss_kappa

VALUES = np.random.default_rng(1).beta(8, 2, 30)
ONE_EACH = [f"P{number:04}" for number in range(30)]


@pytest.mark.parametrize(("method", "theirs"), [("percentile", "percentile"), ("bca", "BCa")])
def test_is_scipys_where_each_patient_has_one_case(method: str, theirs: str) -> None:
    """Two draws of 2,000 resamples differ at the third digit; the spread of the mean is about 0.02."""
    from scipy.stats import bootstrap

    expected = bootstrap((VALUES,), np.mean, n_resamples=20000, method=theirs, rng=np.random.default_rng(5))
    found = mean_interval(VALUES.tolist(), ONE_EACH, method=IntervalMethod(method))
    assert found.value == pytest.approx(VALUES.mean())
    assert (found.lower, found.upper) == pytest.approx(tuple(expected.confidence_interval), abs=0.003)


def test_studentised_by_hand() -> None:
    """The quantiles of (resample's mean - mean) / (resample's spread / root n), worked out one by one."""
    parts = np.stack([VALUES, np.ones(30)], axis=1)
    found = patient_interval(parts, mean, seed=3)
    off = []
    for patients in np.random.default_rng(3).integers(30, size=(2000, 30)):
        resample = VALUES[patients]
        # Leaving each drawn value out once gives n / (n - 1)^2 times the sum of squares around the mean.
        spread = np.sqrt(29 / 30 * ((resample - resample.mean()) ** 2).sum()) / 29
        off.append((resample.mean() - VALUES.mean()) / spread)
    error = np.sqrt(29 / 30 * ((VALUES - VALUES.mean()) ** 2).sum()) / 29
    lower, upper = VALUES.mean() - error * np.quantile(off, [0.975, 0.025], method="nearest")
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=1e-9)


def test_the_same_seed_gives_the_same_interval() -> None:
    assert mean_interval(VALUES.tolist(), ONE_EACH, seed=4) == mean_interval(VALUES.tolist(), ONE_EACH, seed=4)
    assert mean_interval(VALUES.tolist(), ONE_EACH, seed=4) != mean_interval(VALUES.tolist(), ONE_EACH, seed=5)


def test_cases_of_a_patient_come_along() -> None:
    """Every case twice: as cases of the same patients nothing changes, as patients of their own all gets narrower."""
    once = mean_interval(VALUES.tolist(), ONE_EACH)
    twice = mean_interval([*VALUES, *VALUES], ONE_EACH * 2)
    wrong = mean_interval([*VALUES, *VALUES], [*ONE_EACH, *(f"{code}b" for code in ONE_EACH)])
    assert (twice.value, twice.lower, twice.upper) == pytest.approx((once.value, once.lower, once.upper))
    assert twice.patients == 30
    assert wrong.upper - wrong.lower < 0.8 * (once.upper - once.lower)


def test_bounds_and_no_spread() -> None:
    near_one = [1.0, 1.0, 0.99, 0.2]
    assert mean_interval(near_one, ONE_EACH[:4], bounds=(0.0, 1.0)).upper == 1.0
    for method in (IntervalMethod.STUDENTISED, IntervalMethod.BCA):
        same = mean_interval([0.9] * 5, ONE_EACH[:5], method=method)
        assert (same.value, same.lower) == (pytest.approx(0.9), None)
    few = mean_interval([0.9, 0.8, None], ["P0001", "P0001", "P0002"])
    assert (few.value, few.lower, few.patients) == (pytest.approx(0.85), None, 1)
    assert mean_interval([], []).value is None
    with pytest.raises(RejectedInput):
        mean_interval([0.9], [])


def test_kappas_have_intervals() -> None:
    random = np.random.default_rng(2)
    first = random.integers(1, 6, 80)
    second = np.where(random.random(80) < 0.7, first, random.integers(1, 6, 80))
    patients = [f"P{number // 2:04}" for number in range(80)]
    found = cohen_kappa_interval(
        first.tolist(), second.tolist(), range(1, 6), weighting=Weighting.QUADRATIC, patients=patients
    )
    value = cohen_kappa(first.tolist(), second.tolist(), range(1, 6), weighting=Weighting.QUADRATIC)
    assert found.value == pytest.approx(value)
    assert found.patients == 40
    assert -1 <= found.lower < found.value < found.upper <= 1
    scores = np.stack([first, second], axis=1).tolist()
    several = fleiss_kappa_interval(scores, range(1, 6), patients=patients)
    assert several.value == pytest.approx(fleiss_kappa(scores, range(1, 6)))
    assert several.lower < several.value < several.upper


@pytest.mark.slow
def test_intervals_hold_a_planted_truth() -> None:
    """1,000 studies of 20 patients with one to three cases; with cases drawn instead of patients the check fails."""

    def held(drawn, method: IntervalMethod) -> float:
        return coverage(drawn, mean, DICE_TRUTH, patients=20, method=method, resamples=1000)

    assert 0.93 <= held(dice_parts, IntervalMethod.STUDENTISED) <= 0.97
    assert held(dice_of_cases, IntervalMethod.STUDENTISED) < 0.93
    assert held(dice_parts, IntervalMethod.PERCENTILE) < 0.93

"""Statistics against values worked out by hand or printed in textbooks; degenerate values give None."""

import numpy as np
import pytest

from datasets.errors import RejectedInput
from training.measures.statistics import (
    Comparison,
    MeanSd,
    adjusted,
    average_over_clicks,
    bland_altman,
    clicks_needed,
    compare,
    mean_sd,
    median_of_censored,
    pearson_r,
)


def test_mean_and_sample_deviation() -> None:
    assert mean_sd([2, None, 4, 9]) == MeanSd(5.0, pytest.approx(np.sqrt(13)), 3)
    assert mean_sd([3]) == MeanSd(3.0, None, 1)
    assert mean_sd([None]) == mean_sd([]) == MeanSd(None, None, 0)


def test_bland_altman_by_hand() -> None:
    found = bland_altman([11, 22, 29], [10, 20, 30])
    sd = np.sqrt(((1 - 2 / 3) ** 2 + (2 - 2 / 3) ** 2 + (-1 - 2 / 3) ** 2) / 2)
    assert found.bias == pytest.approx(2 / 3)
    assert found.sd == pytest.approx(sd)
    assert found.lower == pytest.approx(2 / 3 - 1.96 * sd)
    assert found.upper == pytest.approx(2 / 3 + 1.96 * sd)
    assert found.pearson_r == pytest.approx(np.corrcoef([11, 22, 29], [10, 20, 30])[0, 1])
    single = bland_altman([5], [4])
    assert (single.bias, single.sd, single.lower, single.pearson_r, single.n) == (1.0, None, None, None, 1)
    assert bland_altman([], []).bias is None
    with pytest.raises(RejectedInput, match="statistics-pairs"):
        bland_altman([1, 2], [1])


def test_pearson_without_spread_is_none() -> None:
    assert pearson_r([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    assert pearson_r([1, 2, 3], [5, 5, 5]) is None
    assert pearson_r([1], [1]) is None
    assert pearson_r([1, 2, 3], [0.3, 0.1 + 0.2, 0.3]) is None  # varies by rounding only


def test_clicks_needed_are_censored() -> None:
    assert clicks_needed((0, 1, 2), (0.5, 0.85, 0.8), threshold=0.85) == 1
    assert clicks_needed((0, 1, 2), (0.9, 0.85, 0.8), threshold=0.85) == 0
    assert clicks_needed((0, 1, 2), (0.5, 0.6, 0.7), threshold=0.85) is None
    assert median_of_censored([1, 3, None]) == 3
    assert median_of_censored([1, 2, 3, None]) == 2.5
    assert median_of_censored([1, None]) is None
    assert median_of_censored([]) is None


def test_average_of_one_to_ten_clicks() -> None:
    clicks = tuple(range(11))
    assert average_over_clicks(clicks, [100.0, *range(1, 11)]) == 5.5
    assert average_over_clicks(clicks, [0.0, None, *range(2, 11)]) is None
    assert average_over_clicks((0, 1, 2), [0.0, 0.5, 0.7]) is None
    assert average_over_clicks((0, 1, 2), [0.0, 0.5, 0.7], last=2) == pytest.approx(0.6)


def test_paired_tests_on_students_own_data() -> None:
    """Student's sleep data (Biometrika 1908;6:1-25): ten patients, extra hours with two drugs; t = -4.06, p = 0.0028.

    Of the nine differences that are not 0 all are negative: of 2 ** 9 signs, one on either side is as extreme.
    """
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    patients = [f"patient {number}" for number in range(10)]
    found = compare(dict(zip(patients, first, strict=True)), dict(zip(patients, second, strict=True)))
    assert found.n == 10
    assert found.mean_difference == pytest.approx(-1.58)
    assert found.t_test_p == pytest.approx(0.00283, abs=5e-6)
    assert found.wilcoxon_p == pytest.approx(2 / 2**9)


def test_only_shared_cases_count() -> None:
    found = compare({"a": 0.5, "b": 0.9, "c": None, "d": 0.1}, {"b": 0.7, "a": 0.6, "c": 0.3})
    assert (found.n, found.mean_difference) == (2, pytest.approx(0.05))


def test_degenerate_comparisons_are_none() -> None:
    same = {"a": 0.5, "b": 0.9, "c": 0.7}
    assert compare(same, same) == Comparison(3, 0.0, 0.0, None, None)
    shifted = compare(same, {case: value - 0.1 for case, value in same.items()})
    assert shifted.t_test_p is None  # the differences do not vary
    assert shifted.wilcoxon_p == pytest.approx(0.25)
    assert compare({"a": 0.5}, {"a": 0.6}) == Comparison(1, pytest.approx(-0.1), None, None, None)
    assert compare({"a": 0.5}, {"b": 0.6}) == Comparison(0, None, None, None, None)


def test_benjamini_hochberg() -> None:
    """p times 4 over its rank, and never more than the next larger one's."""
    assert adjusted([0.01, None, 0.04, 0.03, 0.005]) == [
        pytest.approx(0.02),
        None,
        pytest.approx(0.04),
        pytest.approx(0.04),
        pytest.approx(0.02),
    ]
    assert adjusted([None]) == [None]
    assert adjusted([]) == []


def test_two_pairs_correlate_by_themselves() -> None:
    assert pearson_r([1.0, 2.0], [3.0, 5.0]) is None
    assert pearson_r([1.0, 2.0, 4.0], [3.0, 5.0, 9.0]) == pytest.approx(1.0)

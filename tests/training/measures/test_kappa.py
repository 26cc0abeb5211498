"""Kappas, against scikit-learn, statsmodels and Fleiss' own example."""

import numpy as np
import pytest

from datasets.errors import RejectedInput
from training.measures.kappa import Weighting, cohen_kappa, fleiss_kappa

SCORES = ("1", "2", "3", "4", "5")

FLEISS_1971 = """
    00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 00501 30012 51000
    02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
"""Table 1: how many of six psychiatrists gave each of five diagnoses to each of 30 patients."""


@pytest.mark.parametrize("weighting", Weighting)
@pytest.mark.parametrize("seed", range(5))
def test_cohen_is_scikit_learns(weighting: Weighting, seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score

    random = np.random.default_rng(seed)
    first = random.integers(1, 6, 60)
    second = np.where(random.random(60) < 0.6, first, random.integers(1, 6, 60))
    weights = None if weighting is Weighting.NONE else str(weighting)
    expected = cohen_kappa_score(first, second, labels=[1, 2, 3, 4, 5], weights=weights)
    found = cohen_kappa(first.tolist(), second.tolist(), range(1, 6), weighting=weighting)
    assert found == pytest.approx(expected, abs=1e-12)


def test_cohen_by_hand() -> None:
    """20 and 15 agreements of 50: 0.7 agreed, 0.5 by chance."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second, ("yes", "no"), weighting=Weighting.NONE) == pytest.approx(0.4)


def test_cohen_counts_what_both_scored() -> None:
    first, second = ["1", None, "2", "3", "1"], ["1", "2", None, "3", "2"]
    expected = cohen_kappa(["1", "3", "1"], ["1", "3", "2"], SCORES, weighting=Weighting.LINEAR)
    assert cohen_kappa(first, second, SCORES, weighting=Weighting.LINEAR) == expected


def test_there_is_no_kappa_by_chance_alone() -> None:
    assert cohen_kappa(["1", "1"], ["1", "1"], SCORES, weighting=Weighting.NONE) is None
    assert cohen_kappa([], [], SCORES, weighting=Weighting.NONE) is None
    assert cohen_kappa([None], ["1"], SCORES, weighting=Weighting.QUADRATIC) is None
    assert fleiss_kappa([["1", "1"], ["1", "1", "1"]], SCORES) is None
    assert fleiss_kappa([["1", None], []], SCORES) is None


def test_other_scores_are_refused() -> None:
    with pytest.raises(RejectedInput) as refusal:
        cohen_kappa(["6"], ["1"], SCORES, weighting=Weighting.NONE)
    assert refusal.value.code == "score-unknown"
    with pytest.raises(RejectedInput) as refusal:
        cohen_kappa(["1", "2"], ["1"], SCORES, weighting=Weighting.NONE)
    assert refusal.value.code == "scores-uneven"


def spread(counts: list[int]) -> list[int]:
    """The scores of one thing from how many gave each category."""
    return [category for category, times in enumerate(counts) for _ in range(times)]


def test_fleiss_own_example() -> None:
    counts = [[int(digit) for digit in row] for row in FLEISS_1971.split()]
    found = fleiss_kappa([spread(row) for row in counts], range(5))
    assert found == pytest.approx(0.430, abs=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_fleiss_is_statsmodels(seed: int) -> None:
    from statsmodels.stats.inter_rater import fleiss_kappa as theirs

    random = np.random.default_rng(seed)
    counts = random.multinomial(4, random.dirichlet(np.ones(5)), size=40)
    found = fleiss_kappa([spread(list(row)) for row in counts], range(5))
    assert found == pytest.approx(theirs(counts), abs=1e-12)


def test_fleiss_with_scores_missing_by_hand() -> None:
    """Agreements 1 (of three pairs), 0 and 1; the single score does not count; shares 5/8 and 3/8 of eight scores."""
    scores = [["a", "a", "a"], ["a", "b", None], [None, "b", None], ["b", "b", None], ["a", None, None]]
    by_chance = (4 / 7) ** 2 + (3 / 7) ** 2
    expected = (2 / 3 - by_chance) / (1 - by_chance)
    assert fleiss_kappa(scores, ("a", "b")) == pytest.approx(expected)

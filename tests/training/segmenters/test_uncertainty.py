"""Uncertainty: entropies by hand."""

import numpy as np
import pytest

from training.segmenters.uncertainty import NOBODY_DREW, joined, uncertainty_of


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def opinions(*probabilities: list[float]) -> list[np.ndarray]:
    return [np.array([logit(each) for each in one], dtype=np.float32) for one in probabilities]


def test_fields_are_the_mean_logit_the_mean_probability_and_the_highest_logit() -> None:
    fields = joined(iter(opinions([0.9, 0.2], [0.5, 0.1])), with_spread=True)
    np.testing.assert_allclose(fields[0], [(logit(0.9) + 0.0) / 2, (logit(0.2) + logit(0.1)) / 2], rtol=1e-5)
    np.testing.assert_allclose(fields[1], [0.7, 0.15], rtol=1e-5)
    np.testing.assert_allclose(fields[2], [logit(0.9), logit(0.2)], rtol=1e-5)
    assert joined(opinions([0.9], [0.5]), with_spread=False).shape == (1, 1)


def test_entropy_by_hand() -> None:
    """Of 0.25 it is 0.25 * 2 + 0.75 * log2(4 / 3) = 0.8113 bits; of one half 1, of certainty 0."""
    first = np.array([logit(0.25), 0.0, 200.0, -200.0, 200.0], dtype=np.float32)
    second = np.array([logit(0.25), 0.0, 200.0, -200.0, -200.0], dtype=np.float32)
    found = uncertainty_of(joined([first, second], with_spread=True))
    np.testing.assert_allclose(found.entropy, [0.8112781, 1.0, 0.0, 0.0, 1.0], atol=1e-6)
    assert found.entropy.dtype == np.float32
    # only the third and the fifth voxel are taken for tumour by at least one: above a logit of 0
    assert found.of_case == pytest.approx(0.5)


def test_an_answer_that_nobody_drew_is_the_least_sure() -> None:
    assert uncertainty_of(joined(opinions([0.1, 0.2]), with_spread=True)).of_case == NOBODY_DREW == 1.0


def test_opinions_that_contradict_each_other_are_less_sure_than_those_that_agree() -> None:
    agree = uncertainty_of(joined(opinions([0.9, 0.1], [0.9, 0.1]), with_spread=True))
    differ = uncertainty_of(joined(opinions([0.9, 0.1], [0.1, 0.9]), with_spread=True))
    assert agree.of_case == pytest.approx(0.4689956, abs=1e-5)  # the entropy of 0.9
    assert differ.of_case == pytest.approx(1.0)

"""How often intervals by patient hold a truth that was planted: Dice and kappa, each method, 1,000 simulated studies.

    .venv/bin/python -m benchmarks.interval_coverage

Dice is skewed as readers' is: a patient's level times each case's own, both of beta distributions, one to three cases a
patient. Scores are of five categories: a patient's cases tend to one true score, two readers miss it independently.
Both truths are known exactly. Prints a table for `docs/results`.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.measures.bootstrap import IntervalMethod, Numbers, Statistic, patient_interval
from training.measures.kappa import Weighting, cohen_of_sums

PATIENTS = (20, 40, 100)
SIMULATIONS = 1000
MOST_CASES = 3

_LEVEL, _OWN = (8.0, 1.2), (20.0, 1.0)
DICE_TRUTH = _LEVEL[0] / sum(_LEVEL) * _OWN[0] / sum(_OWN)

_TRUE_SCORES = np.array([0.35, 0.30, 0.20, 0.10, 0.05])
_TENDENCY = 0.5
_MISSES = np.array([0.15, 0.70, 0.15])
"""One score too low, right, one too high; at the ends of the scale what is too low or too high is right."""


def dice_parts(random: np.random.Generator, patients: int) -> Numbers:
    """(N, 2) sum of Dice and number of cases of each simulated patient."""
    cases = random.integers(1, MOST_CASES + 1, patients)
    dice = random.beta(*_LEVEL, (patients, 1)) * random.beta(*_OWN, (patients, MOST_CASES))
    return np.stack([(dice * (np.arange(MOST_CASES) < cases[:, None])).sum(axis=1), cases], axis=1)


def dice_of_cases(random: np.random.Generator, patients: int) -> Numbers:
    """(N, 2) the same with each case counted as a patient of its own, as no study should."""
    cases = random.integers(1, MOST_CASES + 1, patients)
    dice = random.beta(*_LEVEL, (patients, 1)) * random.beta(*_OWN, (patients, MOST_CASES))
    found = dice[np.arange(MOST_CASES) < cases[:, None]]
    return np.stack([found, np.ones_like(found)], axis=1)


def mean(sums: Numbers) -> Numbers:
    """Mean of sums of `dice_parts`."""
    found: Numbers = sums[..., 0] / sums[..., 1]
    return found


def score_parts(random: np.random.Generator, patients: int) -> Numbers:
    """(N, 2 K + 1) what the cases of each simulated patient add to the quadratic kappa of two readers."""
    count, shape = len(_TRUE_SCORES), (patients, MOST_CASES)
    usual, other = random.choice(count, (patients, 1), p=_TRUE_SCORES), random.choice(count, shape, p=_TRUE_SCORES)
    true = np.where(random.random(shape) < _TENDENCY, usual, other)
    first, second = (np.clip(true + random.choice([-1, 0, 1], shape, p=_MISSES), 0, count - 1) for _ in range(2))
    is_there = np.arange(MOST_CASES) < random.integers(1, MOST_CASES + 1, (patients, 1))
    scores = np.eye(count)
    rows = np.concatenate([scores[first], scores[second], ((first - second) ** 2)[..., None]], axis=-1)
    found: Numbers = (rows * is_there[..., None]).sum(axis=1)
    return found


def kappa(sums: Numbers) -> Numbers:
    """Quadratic kappa of sums of `score_parts`."""
    return cohen_of_sums(sums, Weighting.QUADRATIC)


def kappa_truth() -> float:
    """Quadratic kappa of the two simulated readers, from their distribution itself."""
    count = len(_TRUE_SCORES)
    given: NDArray[np.float64] = np.zeros((count, count))
    for true in range(count):
        for step, share in zip((-1, 0, 1), _MISSES, strict=True):
            given[true, int(np.clip(true + step, 0, count - 1))] += share
    pairs = given.T @ np.diag(_TRUE_SCORES) @ given
    steps = np.subtract.outer(np.arange(count), np.arange(count)) ** 2
    return float(1.0 - (steps * pairs).sum() / (steps * np.outer(pairs.sum(axis=1), pairs.sum(axis=0))).sum())


def coverage(
    drawn: Callable[[np.random.Generator, int], Numbers],
    statistic: Statistic,
    truth: float,
    *,
    patients: int,
    method: IntervalMethod,
    simulations: int = SIMULATIONS,
    resamples: int = 2000,
) -> float:
    """Share of simulated studies whose interval holds the truth; one without an interval does not hold it."""
    random = np.random.default_rng(patients)
    held = 0
    for seed in range(simulations):
        parts = drawn(random, patients)
        found = patient_interval(parts, statistic, seed=seed, bounds=(-1.0, 1.0), method=method, resamples=resamples)
        held += found.lower is not None and found.upper is not None and found.lower <= truth <= found.upper
    return held / simulations


def main() -> None:
    """Writes the table to standard output."""
    _write(f"Truths: Dice {DICE_TRUTH:.4f}, quadratic kappa {kappa_truth():.4f}")
    _write("| of | patients | method | coverage | CPU seconds |")
    _write("| --- | ---: | --- | ---: | ---: |")
    for words, drawn, statistic, truth in (
        ("mean Dice", dice_parts, mean, DICE_TRUTH),
        ("mean Dice, cases drawn", dice_of_cases, mean, DICE_TRUTH),
        ("quadratic kappa", score_parts, kappa, kappa_truth()),
    ):
        for patients in PATIENTS:
            for method in IntervalMethod:
                began = time.process_time()
                share = coverage(drawn, statistic, truth, patients=patients, method=method)
                seconds = time.process_time() - began
                _write(f"| {words} | {patients} | {method} | {share:.1%} | {seconds:.0f} |")


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Means and kappas with their intervals by patient."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from training.measures.bootstrap import Interval, IntervalMethod, Numbers, patient_interval
from training.measures.kappa import Score, Weighting, cohen_of_sums, cohen_parts, fleiss_of_sums, fleiss_parts

SEED = 20
"""Of the random numbers: a page that is loaded again shows the same interval."""


def mean_interval(
    values: Sequence[float | None],
    patients: Sequence[str],
    *,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    method: IntervalMethod = IntervalMethod.STUDENTISED,
    seed: int = SEED,
) -> Interval:
    """The mean over cases, with its interval by patient.

    Args:
        values: One for each case (or pair of readers of a case); None does not count.
        patients: Code of the patient of each.
        bounds: Smallest and largest possible value, such as (0, 1) for Dice.
        method: How the interval is made.
        seed: Of the random numbers.

    Raises:
        RejectedInput: There are not as many values as patients' codes (``scores-uneven``).
    """
    known = np.array([(value or 0.0, value is not None) for value in values], dtype=np.float64).reshape(-1, 2)
    parts = _by_patient(known, patients)
    return patient_interval(parts[parts[:, 1] > 0], _mean, seed=seed, bounds=bounds, method=method)


def cohen_kappa_interval(
    first: Sequence[Score],
    second: Sequence[Score],
    categories: Sequence[int | str],
    *,
    weighting: Weighting,
    patients: Sequence[str],
    seed: int = SEED,
) -> Interval:
    """Cohen's kappa of two readers with its interval by patient; arguments and errors as `cohen_kappa`.

    Args:
        first: One reader's scores; None where there is none.
        second: The other's, of the same cases.
        categories: All scores that can be given, in their order.
        weighting: How bad a difference is.
        patients: Code of each case's patient.
        seed: Of the random numbers.
    """
    parts = _by_patient(cohen_parts(first, second, categories, weighting=weighting), patients)
    parts = parts[parts.sum(axis=1) > 0]
    return patient_interval(parts, lambda sums: cohen_of_sums(sums, weighting), seed=seed, bounds=(-1.0, 1.0))


def fleiss_kappa_interval(
    scores: Sequence[Sequence[Score]], categories: Sequence[int | str], *, patients: Sequence[str], seed: int = SEED
) -> Interval:
    """Fleiss' kappa with its interval by patient; arguments and errors as `fleiss_kappa`.

    Args:
        scores: For each case, the scores that it got; None where a reader gave none.
        categories: All scores that can be given.
        patients: Code of each case's patient.
        seed: Of the random numbers.
    """
    parts = _by_patient(fleiss_parts(scores, categories), patients)
    return patient_interval(parts[parts[:, -1] > 0], fleiss_of_sums, seed=seed, bounds=(-1.0, 1.0))


def _mean(sums: Numbers) -> Numbers:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Numbers = sums[..., 0] / sums[..., 1]
    return found


def _by_patient(rows: NDArray[np.float64], patients: Sequence[str]) -> Numbers:
    """(N, P) sums of the rows of each patient, in the order of their codes."""
    if len(rows) != len(patients):
        raise RejectedInput(
            "scores-uneven",
            f"Expected a patient's code for each of {len(rows)} cases, got {len(patients)}.",
            remedy="Give the code of each case's patient.",
        )
    codes, which = np.unique(np.asarray(patients, dtype=np.str_), return_inverse=True)
    found = np.zeros((len(codes), rows.shape[1]))
    np.add.at(found, which, rows)
    return found

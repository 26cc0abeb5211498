"""Makes folds more even: patients change places while that brings the strata's numbers of cases closer together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.study.splits.split_case import Folds, SplitCase

Counts = NDArray[np.int64]


def evened(ordered: Sequence[SplitCase], strata: Sequence[tuple[str, ...]], found: Folds) -> Folds:
    """Folds in which no patient's move and no exchange of two patients would make the strata more even.

    What is made least is the sum of the squared numbers of cases of each stratum in each fold. scikit-learn assigns one
    patient after the other and never goes back, so that small strata are often two or three cases apart.

    Args:
        ordered: The cases.
        strata: Those of each case.
        found: Their folds, each patient in one.
    """
    fold_of = {code: number for number, fold in enumerate(found) for code in fold}
    patients = sorted({case.patient for case in ordered})
    names = sorted({name for own in strata for name in own})
    counts = np.zeros((len(patients), len(names)), dtype=np.int64)
    places = np.zeros(len(patients), dtype=np.int64)
    for case, own in zip(ordered, strata, strict=True):
        row = patients.index(case.patient)
        places[row] = fold_of[case.case]
        for name in own:
            counts[row, names.index(name)] += 1
    _exchange(counts, places, len(found))
    place_of = dict(zip(patients, places.tolist(), strict=True))
    return tuple(
        tuple(case.case for case in ordered if place_of[case.patient] == number) for number in range(len(found))
    )


def _exchange(counts: Counts, places: Counts, folds: int) -> None:
    """Changes `places` (P,), the fold of each patient, whose cases of each stratum are `counts` (P, S)."""
    totals = np.stack([counts[places == number].sum(axis=0) for number in range(folds)])
    nobody = np.zeros((folds, counts.shape[1]), dtype=np.int64)  # in each fold: to change places with is to move there
    partners = np.concatenate([counts, nobody])
    has_changed = True
    while has_changed:  # every change makes a sum of squares smaller, so this ends
        has_changed = False
        for patient, own in enumerate(counts):
            here = places[patient]
            there = np.concatenate([places, np.arange(folds)])
            gained = partners - own
            change = (gained * (totals[here] - totals[there] + gained)).sum(axis=1)
            change[there == here] = 0
            best = int(change.argmin())
            if change[best] >= 0:
                continue
            totals[here] += gained[best]
            totals[there[best]] -= gained[best]
            places[patient] = there[best]
            if best < len(places):
                places[best] = here
            has_changed = True

"""Which patients are annotated in which round, and which never are: decided before anything is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from datasets.errors import RejectedInput

FEWEST_HELD_OUT = 3
"""Held-out patients; with fewer there is no interval."""


@dataclass(frozen=True)
class RoundsPlan:
    """The cases of each round.

    Args:
        rounds: Cases that are annotated in each round, by name.
        held_out: Cases that are never annotated for learning; models are tried on them.
    """

    rounds: tuple[tuple[str, ...], ...]
    held_out: tuple[str, ...]

    def approved_after(self, number: int) -> tuple[str, ...]:
        """The cases that are approved after some rounds; none after 0."""
        return tuple(case for cases in self.rounds[:number] for case in cases)


def planned_rounds(patient_of: Mapping[str, str], *, rounds: int, patients: int, seed: int) -> RoundsPlan:
    """Draws the patients of each round by chance; those who are left are held out.

    Args:
        patient_of: The patient of each case.
        rounds: How many rounds.
        patients: New patients of each; all cases of a patient are in one round.
        seed: Decides.

    Raises:
        RejectedInput: There is no round or no patient in it (``rounds-numbers``), or fewer than `FEWEST_HELD_OUT`
            patients would be held out (``rounds-patients``).
    """
    if rounds < 1 or patients < 1:
        raise RejectedInput(
            "rounds-numbers",
            f"Expected at least one round of at least one patient, got {rounds} of {patients}.",
            remedy="Give larger numbers.",
        )
    everybody = sorted({*patient_of.values()})
    if len(everybody) < rounds * patients + FEWEST_HELD_OUT:
        raise RejectedInput(
            "rounds-patients",
            f"{rounds} rounds of {patients} patients and {FEWEST_HELD_OUT} held-out ones need "
            f"{rounds * patients + FEWEST_HELD_OUT} patients, and there are {len(everybody)}.",
            remedy="Give fewer rounds, or fewer patients a round.",
        )
    order = [everybody[at] for at in np.random.default_rng(seed).permutation(len(everybody))]
    groups = [set(order[at * patients : (at + 1) * patients]) for at in range(rounds)]
    rest = set(order[rounds * patients :])
    return RoundsPlan(
        tuple(tuple(case for case in sorted(patient_of) if patient_of[case] in group) for group in groups),
        tuple(case for case in sorted(patient_of) if patient_of[case] in rest),
    )

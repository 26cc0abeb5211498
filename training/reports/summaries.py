"""Groups of cases in numbers: mean with its interval by patient, spread, median, and misses counted apart."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from datasets.pages.sheets import Column, Value
from training.measures.intervals import mean_interval
from training.measures.metrics import MISS_DICE, is_miss
from training.measures.statistics import mean_sd
from training.reports.case_facts import CaseFacts
from training.reports.scores import ModelScores

ALL = "all"
SUMMARY = (
    Column("cases"),
    Column("patients"),
    Column("mean Dice", ".3f"),
    Column("SD", ".3f"),
    Column("from", ".3f"),
    Column("to", ".3f"),
    Column("median", ".3f"),
    Column("misses"),
    Column("mean without misses", ".3f"),
)
SUMMARY_NOTE = (
    f"From and to: 95 % interval of the mean by patient (studentised bootstrap). Misses: Dice below {MISS_DICE}; they "
    "are in the mean, too."
)


@dataclass(frozen=True)
class Facts:
    """The cases of a report.

    Args:
        by_case: All of them.
    """

    by_case: Mapping[str, CaseFacts]

    @property
    def cohorts(self) -> list[str]:
        """In the order of their names."""
        return sorted({facts.cohort for facts in self.by_case.values()})

    def names(self, group: Callable[[CaseFacts], str], cohort: str | None = None) -> list[str]:
        """Values of a group, the most frequent first."""
        found = [group(facts) for facts in self.by_case.values() if cohort in (None, facts.cohort)]
        return sorted(set(found), key=lambda name: (-found.count(name), name))

    def counted(self, tissue_type: str) -> str:
        """A tissue type with its number of cases."""
        return f"{tissue_type} ({len([each for each in self.by_case.values() if each.tissue_type == tissue_type])})"

    def third(self, facts: CaseFacts) -> str:
        """The third of all cases, by volume, that a case belongs to."""
        low, high = np.quantile([each.volume_ml for each in self.by_case.values()], (1 / 3, 2 / 3))
        if facts.volume_ml <= low:
            return f"small (to {low:.0f} ml)"
        return f"middle (to {high:.0f} ml)" if facts.volume_ml <= high else f"large (above {high:.0f} ml)"


def dice_of(model: ModelScores, cases: Iterable[CaseFacts]) -> list[tuple[CaseFacts, float]]:
    """Dice of the cases that a model drew."""
    return [(facts, model.scores[facts.case].dice) for facts in cases if facts.case in model.scores]


def summary(found: Sequence[tuple[CaseFacts, float]]) -> tuple[Value, ...]:
    """A row of `SUMMARY` of the Dice of some cases."""
    values, patients = [dice for _, dice in found], [facts.patient for facts, _ in found]
    if not values:
        return (0, 0, *(None,) * (len(SUMMARY) - 2))
    interval, spread = mean_interval(values, patients, bounds=(0.0, 1.0)), mean_sd(values)
    hits = [value for value in values if not is_miss(value)]
    return (
        len(values),
        len(set(patients)),
        spread.mean,
        spread.sd,
        interval.lower,
        interval.upper,
        float(np.median(values)),
        len(values) - len(hits),
        mean_sd(hits).mean,
    )

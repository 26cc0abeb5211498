"""Two models on the same folds: each patient drawn by a fold of either that never saw them.

Models are compared by the mean Dice of each patient. One is better when the mean difference is above 0 with all of its
95 % interval and Wilcoxon's test agrees; with fewer than six patients that test never does, and a person decides.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from typing import Any

from annotation_backend.learning.models import Run, RunStatus
from datasets.errors import RejectedInput
from training.measures.statistics import patient_means

SHOWN = 0.05
"""Wilcoxon's p below which a difference counts as shown."""


@dataclass(frozen=True)
class PairedFigures:
    """Dice of two models on the patients that both held out.

    Args:
        patients: How many there are.
        first_mean: Mean of the first model.
        second_mean: Mean of the second.
        difference: Mean difference, first minus second.
        lower: Lower end of its 95 % interval; None for too few patients.
        upper: Upper end.
        wilcoxon_p: Two-sided Wilcoxon signed-rank test; None where all differences are 0, or for too few.
        left_out: Patients that both held out too, but with other masks, images or cases.
    """

    patients: int
    first_mean: float
    second_mean: float
    difference: float
    lower: float | None
    upper: float | None
    wilcoxon_p: float | None
    left_out: int = 0

    @property
    def is_better(self) -> bool:
        """Whether the first model was shown to be better."""
        is_above = self.difference > 0 and self.lower is not None and self.lower > 0
        return is_above and self.wilcoxon_p is not None and self.wilcoxon_p < SHOWN

    @property
    def words(self) -> str:
        """The figures in a sentence without its stop."""
        interval = "no interval" if self.lower is None else f"95 % interval {self.lower:+.3f} to {self.upper:+.3f}"
        test = "no test" if self.wilcoxon_p is None else f"Wilcoxon p = {self.wilcoxon_p:.2g}"
        changed = f"; left out: {self.left_out} whose masks, images or cases changed between the two"
        return (
            f"Dice {self.first_mean:.3f} against {self.second_mean:.3f} on the same {self.patients} held-out patients, "
            f"difference {self.difference:+.3f} ({interval}; {test}{changed if self.left_out else ''})"
        )

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def paired_figures(first: Run, second: Run) -> PairedFigures:
    """Compares the models of two runs on the patients that both held out and measured against the same masks.

    Args:
        first: A run with figures.
        second: Another one of the same label.

    Raises:
        RejectedInput: One has no figures (``figures-none``), they learned different labels (``figures-label``), or the
            patients that both have are not in the same folds (``figures-folds``), or all were measured against other
            masks (``figures-masks``).
    """
    for run in (first, second):
        if run.status != RunStatus.DONE or not run.figures:
            raise RejectedInput(
                "figures-none",
                f"{run.model or run} has no figures on held-out cases.",
                remedy="Train it with folds: `manage.py train_model --folds 5 --ensemble`.",
            )
    if _label(first) != _label(second):
        raise RejectedInput(
            "figures-label",
            f"{first.model} draws {_label(first)} and {second.model} draws {_label(second)}.",
            remedy="Compare models of one label.",
        )
    one, other = _by_patient(first.figures), _by_patient(second.figures)
    both = one.keys() & other.keys()
    truths = [_truths(run) for run in (first, second)]
    shared = sorted(patient for patient in both if truths[0][patient] == truths[1][patient])
    if both and not shared:
        raise RejectedInput(
            "figures-masks",
            f"{first.model} and {second.model} were measured against other masks: each patient's masks, images or "
            "cases changed between the two.",
            remedy="Train one of them again on the masks that are approved now.",
        )
    if not shared or not are_alike(first.figures, second.figures, shared):
        raise RejectedInput(
            "figures-folds",
            f"{first.model} and {second.model} were not tried on the same folds.",
            remedy="Train one of them again with the folds of the other: a study's own retraining keeps its folds.",
        )
    found = paired_by_patient({name: one[name] for name in shared}, {name: other[name] for name in shared})
    return replace(found, left_out=len(both) - len(shared))


def paired_by_patient(one: Mapping[str, float], other: Mapping[str, float]) -> PairedFigures:
    """The figures of two models by patient, of the same patients."""
    from training.measures import comparison

    paired = comparison.paired_by_patient(one, other, {})
    first, second = paired.means
    return PairedFigures(
        paired.found.n,
        first or 0.0,
        second or 0.0,
        paired.found.mean_difference or 0.0,
        *paired.interval,
        paired.found.wilcoxon_p,
    )


def _label(run: Run) -> str:
    return str(run.settings.get("label", ""))


def _truths(run: Run) -> dict[str, set[tuple[str, str, str]]]:
    """What each patient's figures were measured against: case, mask and images, by digest."""
    entries = {str(entry["case"]): entry for entry in run.snapshot.content["cases"]}
    found: dict[str, set[tuple[str, str, str]]] = {}
    for row in run.figures:
        case = str(row["case"])
        entry = entries[case]
        truth = (case, str(entry["mask_sha256"]), str(entry.get("registration_sha256", "")))
        found.setdefault(str(row["patient"]), set()).add(truth)
    return found


def _by_patient(figures: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Dice of each patient: the mean of their cases."""
    return patient_means((str(row["patient"]), float(row["dice"])) for row in figures)


def are_alike(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], shared: Sequence[str]) -> bool:
    """Whether patients that both have are together in a fold, or random split, of the first where they are in the
    second."""
    return _together(first, {*shared}) == _together(second, {*shared})


def _together(figures: Sequence[Mapping[str, Any]], shared: Set[str]) -> list[list[str]]:
    """The patients among some that each fold holds out; whatever the folds' order."""
    found: dict[int, set[str]] = {}
    for row in figures:
        if str(row["patient"]) in shared:
            found.setdefault(int(row["fold"]), set()).add(str(row["patient"]))
    return sorted(sorted(patients) for patients in found.values())

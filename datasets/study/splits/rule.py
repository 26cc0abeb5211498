"""SplitRule: the rule by which cases are split, by its name, so that the same cases are split so again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from datasets.errors import RejectedInput
from datasets.finding import Finding
from datasets.study.splits.findings import fold_findings, single_patient_findings
from datasets.study.splits.folds import (
    MSTT_199_FOLDS,
    MSTT_199_SEED,
    balanced_folds,
    mstt_199_folds,
    random_splits,
    require_patients,
    stratified_folds,
)
from datasets.study.splits.left_out import leave_one_type_out, leave_one_vendor_out
from datasets.study.splits.split_case import UNKNOWN, Folds, SplitCase

USUAL_SHARE = 0.2
"""Share of the test sets of random splits where none is named."""


class SplitName(StrEnum):
    """How cases are split. Names are stored with trainings and never change their meaning."""

    STRATIFIED = "stratified"
    """Folds balanced by tissue type, site and size."""
    MSTT_199 = "mstt-199"
    """The folds of MSTT-199."""
    RANDOM = "random"
    """Repeated random splits, balanced."""
    TYPE_OUT = "leave-one-type-out"
    VENDOR_OUT = "leave-one-vendor-out"
    TISSUE_TYPE = "tissue-type"
    """Folds balanced by tissue type: those that a release suggests."""
    GROUPED = "grouped"
    """Folds that are balanced by nothing: those of trainings of earlier versions."""


_COUNTED = (SplitName.STRATIFIED, SplitName.RANDOM, SplitName.TISSUE_TYPE, SplitName.GROUPED)
"""Rules that need a number of folds."""


@dataclass(frozen=True)
class SplitRule:
    """How cases are split.

    Args:
        name: The rule.
        folds: Number of folds, or of random splits; None for rules of which the number follows.
        seed: 0 to 2**32 - 1; has no influence where nothing is random.
        test_share: Share of the cases in the test sets of random splits; None for other rules.

    Raises:
        RejectedInput: The rule needs a number that was not given, or the other way round (``split-settings``).
    """

    name: SplitName = SplitName.STRATIFIED
    folds: int | None = None
    seed: int = 0
    test_share: float | None = None

    def __post_init__(self) -> None:
        if self.name is SplitName.MSTT_199:
            if self.folds not in (None, MSTT_199_FOLDS):
                _refuse(f"{self.name} has {MSTT_199_FOLDS} folds, not {self.folds}.")
        elif (self.folds is not None) != (self.name in _COUNTED):
            _refuse(f"{self.name} needs {'a' if self.folds is None else 'no'} number of folds.")
        if (self.test_share is not None) != (self.name is SplitName.RANDOM):
            _refuse(f"{self.name} needs {'a' if self.test_share is None else 'no'} share of test cases.")

    @classmethod
    def from_described(cls, values: Mapping[str, Any]) -> "SplitRule":
        """The rule of `described`.

        Raises:
            KeyError, TypeError, ValueError: The values are none.
            RejectedInput: They do not go together.
        """
        return cls(
            SplitName(values["rule"]),
            folds=None if values["folds"] is None else int(values["folds"]),
            seed=int(values["seed"]),
            test_share=None if values["test_share"] is None else float(values["test_share"]),
        )

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON values; what has no influence is left out."""
        numbers: tuple[int | None, int] = (self.folds, self.seed if self.name in _COUNTED else 0)
        folds, seed = (MSTT_199_FOLDS, MSTT_199_SEED) if self.name is SplitName.MSTT_199 else numbers
        return {"rule": self.name.value, "folds": folds, "seed": seed, "test_share": self.test_share}

    def test_sets(self, cases: Sequence[SplitCase]) -> Folds:
        """The cases that each model is tried on; it learns from `learned_from`.

        Raises:
            RejectedInput: As the functions of the rules; ``folds-patients`` where there are too few patients.
        """
        match self.name:
            case SplitName.MSTT_199:
                return mstt_199_folds(cases)
            case SplitName.TYPE_OUT:
                return leave_one_type_out(cases)
            case SplitName.VENDOR_OUT:
                return leave_one_vendor_out(cases)
        count = self.folds or 0
        if self.name is SplitName.STRATIFIED:
            return balanced_folds(cases, folds=count, seed=self.seed)
        if self.name is SplitName.RANDOM:
            return random_splits(cases, splits=count, test_share=self.test_share or 0, seed=self.seed)
        require_patients(cases, count)
        if self.name is SplitName.GROUPED:
            cases = [SplitCase(case.case, case.patient, UNKNOWN) for case in cases]
        return stratified_folds(cases, folds=count, seed=self.seed)

    def findings(self, cases: Sequence[SplitCase], found: Folds) -> tuple[Finding, ...]:
        """What is to be said of the test sets: tissue types that one patient has, or that some folds lack."""
        thin = fold_findings(cases, found, folds=len(found)) if self.name is SplitName.STRATIFIED else ()
        return (*single_patient_findings(cases), *thin)


def _refuse(message: str) -> None:
    raise RejectedInput("split-settings", message, remedy="See --split, --folds and --test-share in --help.")

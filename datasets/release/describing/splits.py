"""The suggested folds of a release: those that a model of the study was tried on, or balanced ones of its cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datasets.files import canonical_json
from datasets.finding import Finding
from datasets.release.manifest import CaseEntry
from datasets.release.settings import ReleaseSettings
from datasets.study.splits.findings import fold_findings
from datasets.study.splits.folds import balanced_folds
from datasets.study.splits.split_case import Folds, SplitCase

_LEARNED = "those of a model of the study"
_BALANCED = "test sets of a cross-validation, balanced by tissue type, site and size, each patient in one fold"


@dataclass(frozen=True)
class Splits:
    """The folds.

    Args:
        folds: Codes of cases in each.
        findings: What is to be said about them.
        seed: Of the balanced ones; None for those of a model.
    """

    folds: Folds
    findings: tuple[Finding, ...]
    seed: int | None

    @property
    def number_of(self) -> Mapping[str, int]:
        """The number of each case's fold, from 1."""
        return {code: number for number, fold in enumerate(self.folds, start=1) for code in fold}

    @property
    def method(self) -> str:
        """How they were made."""
        return _LEARNED if self.seed is None else _BALANCED

    def encode(self) -> bytes:
        """The bytes of splits.json."""
        content = {
            "method": self.method,
            "seed": self.seed,
            "folds": [list(fold) for fold in self.folds],
            "findings": [finding.as_dict() for finding in self.findings],
        }
        return canonical_json(content)


def suggested_splits(settings: ReleaseSettings, entries: Sequence[CaseEntry]) -> Splits:
    """The folds that a model of the study was tried on, or those that `train_model` makes of these cases.

    Args:
        settings: The release's.
        entries: Its cases.
    """
    cases = [
        SplitCase(entry.case, entry.patient, entry.tissue_type, entry.anatomical_site, entry.volume_ml)
        for entry in entries
    ]
    learned = settings.learned_folds
    if learned is not None and _are_apart(cases, learned):
        return Splits(learned, fold_findings(cases, learned, folds=len(learned)), None)
    folds = _balanced(cases, settings)
    return Splits(folds, fold_findings(cases, folds, folds=settings.folds), settings.seed)


def _are_apart(cases: Sequence[SplitCase], folds: Folds) -> bool:
    """Whether folds hold each case once, and each patient in one of them."""
    patient_of = {case.case: case.patient for case in cases}
    if sorted(code for fold in folds for code in fold) != sorted(patient_of):
        return False
    patients = [{patient_of[code] for code in fold} for fold in folds]
    return sum(map(len, patients)) == len(set().union(*patients))


def _balanced(cases: Sequence[SplitCase], settings: ReleaseSettings) -> Folds:
    count = min(settings.folds, len({case.patient for case in cases}))
    if count < 2:
        return (tuple(sorted(case.case for case in cases)),)
    return balanced_folds(cases, folds=count, seed=settings.seed)

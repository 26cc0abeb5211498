"""Folds that are kept from one training of a study to the next, so that their models can be compared.

A patient who was in a fold stays in it; those who came since join the folds with the fewest cases, by their codes.
"""

from collections.abc import Mapping
from pathlib import Path

from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.studies.models import Study
from datasets.study.splits.rule import SplitName, SplitRule
from datasets.study.splits.split_case import Folds
from training.methods.crossvalidation import FOLDS_NAME, begin_folds

_BALANCED = (SplitName.STRATIFIED, SplitName.TISSUE_TYPE)


def keep_folds(folder: Path, rule: SplitRule, patients: Mapping[str, str], *, study: Study) -> None:
    """Writes the folds of the last run of a study into the folder of the next, where none are written yet.

    Whatever either trains: models of two methods are compared on the same folds, too.

    Args:
        folder: Of the next training's folds.
        rule: By which cases are split; only folds of the same rule are kept, and only where it balances folds. What
            others leave out follows from the cases themselves.
        patients: The patient of each case of the next training.
        study: Of both.
    """
    if rule.name not in _BALANCED or (folder / FOLDS_NAME).exists():
        return
    done = Run.objects.filter(study=study, status=RunStatus.DONE).exclude(folds=[])
    last = next((run for run in done.order_by("-pk")[:20] if run.settings.get("split") == rule.described), None)
    if last is None:
        return
    former = {str(entry["case"]): str(entry["patient"]) for entry in last.snapshot.content["cases"]}
    if found := _kept(last.folds, former, patients):
        begin_folds(folder, found, rule)


def _kept(folds: list[list[str]], former: Mapping[str, str], patients: Mapping[str, str]) -> Folds:
    """The folds with the cases of now; none where one would be left empty."""
    of_patient = {former[case]: number for number, cases in enumerate(folds) for case in cases if case in former}
    sizes = [sum(of_patient.get(patient) == number for patient in patients.values()) for number in range(len(folds))]
    for patient in sorted({*patients.values()} - of_patient.keys()):
        smallest = sizes.index(min(sizes))
        of_patient[patient] = smallest
        sizes[smallest] += sum(one == patient for one in patients.values())
    found = tuple(
        tuple(sorted(case for case, patient in patients.items() if of_patient[patient] == number))
        for number in range(len(folds))
    )
    return found if all(found) else ()

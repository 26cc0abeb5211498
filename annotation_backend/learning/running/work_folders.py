"""Where trainings on approved masks keep folds, checkpoints and drawn masks until they are done."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from annotation_backend.learning.models import Run, RunStatus, Snapshot
from annotation_backend.learning.running.prepared import prepared_cases
from annotation_backend.learning.runs.recording import is_running
from annotation_backend.learning.runs.withdrawn import withdrawn_in
from annotation_backend.studies.models import Study
from datasets.files import canonical_json, sha256_of_bytes
from datasets.study.splits.external import ExternalCohort
from datasets.study.splits.rule import SplitName, SplitRule

if TYPE_CHECKING:
    from training.fitting.choice import TrainingChoice


def described(choice: "TrainingChoice", rule: SplitRule | None, external: ExternalCohort | None) -> dict[str, Any]:
    """The settings of a training; of the rule and the cohort nothing is said where earlier versions said nothing."""
    found = choice.described | {"folds": None if rule is None else rule.folds}
    if rule is not None and rule.name is not SplitName.GROUPED:
        found["split"] = rule.described
    if external is not None:
        found["external"] = {"name": external.name, "digest": external.digest}
    return found


def work_folder(
    snapshot: Snapshot, choice: "TrainingChoice", rule: SplitRule | None, external: ExternalCohort | None
) -> Path:
    """The folder of a training: the same for the same masks and settings, so that a stopped one goes on."""
    return _folder(snapshot, described(choice, rule, external))


def forget_withdrawn(study: Study) -> None:
    """Removes what trainings of a study that run no more keep of withdrawn patients: work folders, prepared cases."""
    rows = (
        Run.objects.filter(study=study)
        .exclude(status=RunStatus.DONE)
        .select_related("snapshot")
        .defer("figures", "losses")
    )
    over = [run for run in rows if not is_running(run)]
    gone = withdrawn_in({run.snapshot for run in over})
    for run in over:
        cases = gone.get(run.snapshot_id, [])
        if cases:
            shutil.rmtree(_folder(run.snapshot, run.asked), ignore_errors=True)
        for entry in run.snapshot.content["cases"] if cases else []:
            if entry["case"] in cases:
                prepared_cases().forget(str(entry["patient"]))


def _folder(snapshot: Snapshot, asked: dict[str, Any]) -> Path:
    key = canonical_json([snapshot.digest, asked])
    return Path(settings.DATA_FOLDER) / "training" / sha256_of_bytes(key)[:16]

"""Trains on a snapshot of approved masks, and registers the model."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from annotation_backend.learning.examples.of_snapshot import examples_of_snapshot
from annotation_backend.learning.examples.snapshots import require_approved
from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.fold_training import ProgressOf, fit_all, package_final, train_folds, write_ensemble
from annotation_backend.learning.models import Run, Snapshot
from annotation_backend.learning.runs.held_out import HeldOut
from annotation_backend.learning.runs.recording import Recorder, recorded_run
from annotation_backend.learning.splitting.folds import planned_folds, require_apart
from annotation_backend.registry.model_registry import models_folder, register_package
from annotation_backend.registry.models import Model
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes
from datasets.study.splits.external import ExternalCohort
from datasets.study.splits.rule import SplitName, SplitRule
from training.fitting.running.processes import is_first
from training.fitting.running.running import ALONE, Running
from training.pretrained.shipped import shipped_packages

if TYPE_CHECKING:
    from training.fitting.choice import TrainingChoice
    from training.table.method import Method


def train_on_snapshot(
    snapshot: Snapshot,
    choice: "TrainingChoice",
    *,
    name: str = "",
    progress_of: ProgressOf,
    rule: SplitRule | None = None,
    external: ExternalCohort | None = None,
    running: Running = ALONE,
    begun: Callable[[Run], None] | None = None,
) -> Run:
    """Trains a method on a snapshot and registers the package; nothing is promoted.

    A training that was stopped goes on if the approved masks and the settings are the same.

    Args:
        snapshot: The approved masks to train on; those without the label are left out.
        choice: Method, images, label, iterations, seed.
        name: Name of the model, its version is the run's number; empty for the method's, or ``own-`` and the method's
            where a shipped model is called so.
        progress_of: Makes the progress display of each part.
        rule: Of the folds whose ensemble is registered; None for one model of all cases.
        external: The external cohort that must not be learned from; None for none.
        running: How it runs.
        begun: Called with the run's record before anything is read.

    Returns:
        The run; of several processes only the first one records it and registers the model.

    Raises:
        TryAgain: Another training of the study runs (``training-busy``).
        RejectedInput: The study has no such image or label, a case lacks one of the images, a file of the snapshot is
            gone or was changed, there are fewer patients than folds, a patient or an image is on both sides
            (``split-leak``), or an approval of the snapshot ended during the training (``snapshot-left``): nothing is
            registered then.
    """
    name = name or own_name(choice.method)
    described, work = _described(choice, rule, external), work_folder(snapshot, choice, rule, external)
    with recorded_run(snapshot, choice.method.name, described) as run:
        if begun is not None:
            begun(run)
        examples = examples_of_snapshot(snapshot, choice.channels, choice.label, external=external)
        destination, version = models_folder() / f"{name}-{run.pk}", str(run.pk)
        titled = {"name": name, "version": version}
        recorder = Recorder(run, progress_of)
        require_apart(examples, progress=recorder.progress_of("comparing images: case"))
        if rule is None:
            fitted = fit_all(choice, examples, work, progress_of=recorder.progress_of, running=running)
            package_final(fitted, destination, name=name, version=version, inputs=examples.inputs)
            run.losses = [round(float(loss), 6) for losses in fitted.losses for loss in losses]
        else:
            _train_folds(recorder, choice, examples, _Folds(work, rule, destination, titled), running=running)
        run.progress = recorder.going.described()
        if is_first():
            run.model = _register(destination, snapshot)
    if is_first():
        shutil.rmtree(work, ignore_errors=True)
    return run


@dataclass(frozen=True)
class _Folds:
    """Where folds are trained and what comes of them.

    Args:
        work: Folder of the folds.
        rule: By which cases are split.
        destination: Folder of the ensemble's package.
        titled: Its name and version.
    """

    work: Path
    rule: SplitRule
    destination: Path
    titled: Mapping[str, str]


def _train_folds(
    recorder: Recorder, choice: "TrainingChoice", examples: TrainingExamples, folds: _Folds, *, running: Running
) -> None:
    """Trains one fold after the other; each draws its held-out cases as soon as it is trained."""
    trained = planned_folds(examples, folds.work, folds.rule, progress=recorder.progress_of("comparing images: case"))
    run = recorder.run
    run.folds, recorder.going.fits = [list(fold) for fold in trained.folds], len(trained.folds)
    held_out = HeldOut(run, trained, examples, choice.seed)
    has_figures = not choice.method.draws_clicked_slices  # which draws nothing but where somebody clicks
    for number in range(len(trained.folds)):
        train_folds(choice, examples, trained, [number], progress_of=recorder.progress_of, running=running)
        if has_figures and is_first():
            held_out.try_fold(number)
        recorder.write()
    if not is_first():
        return
    cleaning = write_ensemble(
        examples,
        trained,
        folds.destination,
        **folds.titled,
        seed=choice.seed,
        progress_of=recorder.progress_of,
        drawn=held_out.drawn,
    )
    held_out.clean(cleaning)


def work_folder(
    snapshot: Snapshot, choice: "TrainingChoice", rule: SplitRule | None, external: ExternalCohort | None
) -> Path:
    """Where the folds and checkpoints of a training lie until it is done, so that a stopped one goes on."""
    key = canonical_json([snapshot.digest, _described(choice, rule, external)])
    return Path(settings.DATA_FOLDER) / "training" / sha256_of_bytes(key)[:16]


def _described(choice: "TrainingChoice", rule: SplitRule | None, external: ExternalCohort | None) -> dict[str, Any]:
    """The settings of a training; of the rule and the cohort nothing is said where earlier versions said nothing."""
    described = choice.described | {"folds": None if rule is None else rule.folds}
    if rule is not None and rule.name is not SplitName.GROUPED:
        described["split"] = rule.described
    if external is not None:
        described["external"] = {"name": external.name, "digest": external.digest}
    return described


def own_name(method: "Method") -> str:
    """The usual name of a study's own model of a method."""
    shipped = method.convert or method.name in shipped_packages()
    return f"own-{method}" if shipped else method.name


def _register(folder: Path, snapshot: Snapshot) -> Model:
    """Registers a package if its whole snapshot is still approved; otherwise removes the package.

    Raises:
        RejectedInput: An approval of the snapshot does not hold any more (``snapshot-left``).
    """
    try:
        with transaction.atomic():
            require_approved(snapshot.content)
            return register_package(folder, snapshot_digest=snapshot.digest, study=snapshot.study)
    except RejectedInput as error:
        if error.code == "snapshot-left":
            shutil.rmtree(folder, ignore_errors=True)
        raise

"""Trains on a snapshot of approved masks, and registers the model."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction

from annotation_backend.learning.examples.of_snapshot import examples_of_snapshot
from annotation_backend.learning.examples.snapshots import require_approved
from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.fold_training import fit_all, package_final, train_folds, write_ensemble
from annotation_backend.learning.models import Run, Snapshot
from annotation_backend.learning.retraining.kept_folds import keep_folds
from annotation_backend.learning.running.work_folders import described, forget_withdrawn, work_folder
from annotation_backend.learning.runs.drafts import draft_outcomes
from annotation_backend.learning.runs.held_out import HeldOut
from annotation_backend.learning.runs.recording import Recorder, recorded_run
from annotation_backend.learning.splitting.folds import planned_folds, require_apart
from annotation_backend.registry.model_registry import models_folder, register_package, require_free
from annotation_backend.registry.models import Model
from datasets.errors import RejectedInput
from datasets.progress import ProgressOf
from datasets.study.splits.external import ExternalCohort
from datasets.study.splits.rule import SplitRule
from training.fitting.running.processes import is_first
from training.fitting.running.running import ALONE, Running
from training.pretrained.shipped import shipped_packages

if TYPE_CHECKING:
    from training.fitting.choice import TrainingChoice
    from training.table.method import Method

COMPARING = "comparing images: case"
"""What is told while the images are compared, of which nothing may be learned from and tried."""


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
            gone or was changed, a model has the name already that this one would get (``model-version-taken``), there
            are fewer patients than folds, a patient or an image is on both sides
            (``split-leak``), the disk is full (``fit-disk-full``), or an approval of the snapshot ended during the
            training (``snapshot-left``): nothing is registered then, and nothing is kept of who was withdrawn.
    """
    name = name or own_name(choice.method)
    settings, work = described(choice, rule, external), work_folder(snapshot, choice, rule, external)
    try:
        with recorded_run(snapshot, choice.method.name, settings, how=running.described) as run:
            run.drafts = draft_outcomes(snapshot)
            if begun is not None:
                begun(run)
            _train(run, _Asked(choice, rule, external, work, name, running), progress_of)
    finally:
        if is_first():
            forget_withdrawn(snapshot.study)
    if is_first():
        shutil.rmtree(work, ignore_errors=True)
    return run


@dataclass(frozen=True)
class _Asked:
    """What is trained, and where.

    Args:
        choice: Method and settings.
        rule: By which cases are split; None for one model of all cases.
        external: The cohort that must not be learned from; None for none.
        work: Folder of folds and checkpoints.
        name: Of the model.
        running: How it runs.
    """

    choice: "TrainingChoice"
    rule: SplitRule | None
    external: ExternalCohort | None
    work: Path
    name: str
    running: Running


def _train(run: Run, asked: _Asked, progress_of: ProgressOf) -> None:
    """Trains and registers, and writes into the record what comes of it."""
    choice = asked.choice
    examples = examples_of_snapshot(run.snapshot, choice.channels, choice.label, external=asked.external)
    run.findings = list(examples.findings)
    recorder = Recorder(run, progress_of)
    require_apart(examples, progress=recorder.progress_of(COMPARING))
    package = models_folder() / f"{asked.name}-{run.pk}"
    require_free(asked.name, str(run.pk), snapshot_digest=run.snapshot.digest)
    if asked.rule is not None:
        _train_folds(recorder, asked, asked.rule, examples, package)
    else:
        fitted = fit_all(choice, examples, asked.work, progress_of=recorder.progress_of, running=asked.running)
        package_final(fitted, package, name=asked.name, version=str(run.pk), inputs=examples.inputs)
        run.losses = [round(float(loss), 6) for losses in fitted.losses for loss in losses]
    run.progress = recorder.going.described()
    if is_first():
        run.model = _register(package, run.snapshot)


def _train_folds(recorder: Recorder, asked: _Asked, rule: SplitRule, examples: TrainingExamples, package: Path) -> None:
    """Trains one fold after the other; each draws its held-out cases as soon as it is trained."""
    run, choice = recorder.run, asked.choice
    keep_folds(asked.work, rule, examples.patients, study=run.study)
    trained = planned_folds(examples, asked.work, rule, progress=recorder.progress_of(COMPARING))
    run.findings += map(str, rule.findings(list(examples.cases.values()), trained.folds))
    run.folds, recorder.going.fits = [list(fold) for fold in trained.folds], len(trained.folds)
    held_out = HeldOut(run, trained, examples, choice.seed)
    has_figures = not choice.method.draws_clicked_slices  # which draws nothing but where somebody clicks
    for number in range(len(trained.folds)):
        train_folds(choice, examples, trained, [number], progress_of=recorder.progress_of, running=asked.running)
        if has_figures and is_first():
            held_out.try_fold(number)
        recorder.write()
    if not is_first():
        return
    write_ensemble(
        examples,
        trained,
        package,
        name=asked.name,
        version=str(run.pk),
        seed=choice.seed,
        progress_of=recorder.progress_of,
        drawn=held_out.drawn,
    )
    held_out.clean()


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

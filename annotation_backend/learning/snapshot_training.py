"""Takes a snapshot of the approved masks, trains on it, and registers the model."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import case_volumes, picture_plane
from annotation_backend.labeling.models import CaseMask
from annotation_backend.learning.fold_training import fit_all, package_final, train_folds, write_ensemble
from annotation_backend.learning.learned_images import label_to_learn, role_of_kind
from annotation_backend.learning.models import Run, Snapshot
from annotation_backend.learning.runs.drafts import draft_outcomes
from annotation_backend.learning.runs.held_out import HeldOut
from annotation_backend.learning.runs.recording import Recorder, recorded_run
from annotation_backend.learning.splitting.folds import planned_folds, require_apart
from annotation_backend.learning.training_examples import TrainingExamples
from annotation_backend.registry.model_registry import models_folder, register_package
from annotation_backend.registry.models import Model
from annotation_backend.review.approvals import approved_reviews, lock_approvals, why_unapproved
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.files import canonical_json, is_unchanged, sha256_of_bytes, write_json
from datasets.formats.nifti import read_mask
from datasets.image.mask import Mask, label_alone
from datasets.progress import ProgressOf
from datasets.study.splits.external import ExternalCohort
from datasets.study.splits.rule import SplitName, SplitRule
from datasets.study.splits.split_case import SplitCase
from training.fitting.running.processes import is_first
from training.fitting.running.running import ALONE, Running
from training.pretrained.shipped import shipped_packages

if TYPE_CHECKING:
    from training.fitting.choice import TrainingChoice
    from training.fitting.examples import Example
    from training.table.method import Method


def snapshot_content(study: Study) -> dict[str, Any]:
    """A study's approved masks as they would be frozen now.

    Raises:
        RejectedInput: No mask is approved.
    """
    reviews = approved_reviews(study=study)
    if not reviews:
        raise RejectedInput(
            "nothing-approved",
            "No mask is approved, and models learn from approved masks only.",
            remedy="Have a radiologist approve a case on the review page.",
        )
    return {"cases": [_entry(review) for review in reviews]}


def take_snapshot(study: Study) -> Snapshot:
    """Freezes the list of a study's approved masks; the same masks give the same snapshot.

    Raises:
        RejectedInput: No mask is approved.
    """
    content = snapshot_content(study)
    digest = sha256_of_bytes(canonical_json(content))
    with transaction.atomic():
        _require_approved(content)
        snapshot, is_new = Snapshot.objects.get_or_create(study=study, digest=digest, defaults={"content": content})
    if is_new:
        write_json(settings.DATA_FOLDER / "snapshots" / f"{digest}.json", content)
    return snapshot


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
        run.drafts = draft_outcomes(snapshot)
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
            _require_approved(snapshot.content)
            return register_package(folder, snapshot_digest=snapshot.digest, study=snapshot.study)
    except RejectedInput as error:
        if error.code == "snapshot-left":
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _require_approved(content: Mapping[str, Any]) -> None:
    """Refuses a snapshot unless all its approvals still hold; locks them until the transaction ends."""
    entries = {entry["case"]: entry for entry in content["cases"]}
    lock_approvals(list(entries))
    now = {review.mask.case.code: _entry(review) for review in approved_reviews(list(entries))}
    left = [code for code, entry in entries.items() if now.get(code) != entry]
    if left:
        reasons = "; ".join(f"{code}: {why_unapproved(code)}" for code in left)
        raise RejectedInput(
            "snapshot-left",
            f"Approvals ended while the model was trained on them: {reasons}.",
            remedy="No model was registered. Train again on the masks that are approved now.",
        )


def examples_of_snapshot(
    snapshot: Snapshot, kinds: Sequence[str], label: str, *, external: ExternalCohort | None = None
) -> TrainingExamples:
    """The training examples of a snapshot: cases in whose mask the label occurs.

    Args:
        snapshot: The approved masks.
        kinds: Of the images that are learned from.
        label: Name of the label that is learned.
        external: The external cohort that must not be learned from; None for none.

    Raises:
        RejectedInput: No approved mask holds the label (``label-nowhere``), all cases are the external cohort's
            (``external-all``), or the study has no such image or label.
    """
    wanted = _Wanted.of(snapshot, kinds, label)
    entries = {entry["case"]: entry for entry in snapshot.content["cases"]}
    sizes = {case: _mask(entry, wanted).volume_ml for case, entry in entries.items()}
    empty = [case for case, size in sizes.items() if not size]
    if len(empty) == len(entries):
        raise RejectedInput(
            "label-nowhere",
            f"No approved mask holds {label}, so there is nothing to learn from.",
            remedy="Name another label with --label, or approve masks that hold it.",
        )
    found = TrainingExamples(
        cases={case: _split_case(entry) for case, entry in entries.items() if case not in empty},
        load=lambda case: _example(entries[case], wanted),
        images_of=lambda case: case_volumes(Case.objects.get(code=case)).images.values(),
        size_of=lambda case: sizes[case],
        inputs={"snapshot": snapshot.digest},
        findings=tuple(f"{case} is left out: its approved mask holds no {label}." for case in empty),
    )
    return found.without_external(external)


def _entry(review: Review) -> dict[str, Any]:
    """A case of a snapshot: mask and images by digest, without people and times."""
    mask, case = review.mask, review.mask.case
    return {
        "case": case.code,
        "patient": case.patient.code,
        "tissue_type": case.tissue_type,
        "mask": mask.pk,
        "mask_sha256": mask.sha256,
        "registration_sha256": case.images_sha256,
        "quality_score": review.quality_score,
    }


def _split_case(entry: Mapping[str, Any]) -> SplitCase:
    """What splits are balanced by: the tissue type as it was frozen, the site as it is known now, the drawn image's
    vendor, which cases of earlier versions do not say."""
    case = Case.objects.with_images().prefetch_related("series").get(code=entry["case"])
    drawn = next((row for row in case.series.all() if row.role == case.drawn_role), None)
    return SplitCase(
        entry["case"],
        entry["patient"],
        entry["tissue_type"],
        site=case.anatomical_site,
        vendor="" if drawn is None else str(drawn.evidence.get("vendor", "")),
    )


@dataclass(frozen=True)
class _Wanted:
    """What is read of each case of a snapshot.

    Args:
        roles: Kind of image to its name in the study's protocol.
        label: Name of the label.
    """

    roles: Mapping[str, str]
    label: str

    @classmethod
    def of(cls, snapshot: Snapshot, kinds: Sequence[str], label: str) -> "_Wanted":
        """Finds kinds of images and a label in a study's protocol.

        Raises:
            RejectedInput: The study has no such image (``image-unknown``) or label (``label-unknown``).
        """
        protocol = snapshot.study.protocol
        return cls({kind: role_of_kind(protocol, kind) for kind in kinds}, label_to_learn(protocol, label))


def _example(entry: Mapping[str, Any], wanted: _Wanted) -> "Example":
    """Reads a case of a snapshot: its images by kind, and the wanted label alone.

    Raises:
        RejectedInput: Its mask is gone or was changed (``snapshot-changed``), was drawn on another registration
            (``snapshot-left``), or it lacks one of the images (``case-image-missing``).
    """
    from training.fitting.examples import Example

    case, mask = Case.objects.get(code=entry["case"]), _mask(entry, wanted)
    if case.images_sha256 != entry["registration_sha256"]:
        raise RejectedInput(
            "snapshot-left",
            f"{case.code} was registered again, so its approved mask was drawn on other images.",
            remedy="Have the case reviewed again, and train again.",
        )
    images = case_volumes(case).images
    if missing := sorted({*wanted.roles.values()} - {*images}):
        raise RejectedInput(
            "case-image-missing",
            f"{case.code} has no {' and no '.join(missing)}, and the model is to learn from it.",
            remedy="Name with --channels images that every approved case has.",
        )
    volumes = {kind: images[role] for kind, role in wanted.roles.items()}
    return Example(case.code, case.patient.code, volumes, mask, slice_axis=picture_plane(case).slice_axis)


def _mask(entry: Mapping[str, Any], wanted: _Wanted) -> Mask:
    """The wanted label of a case's approved mask.

    Raises:
        RejectedInput: The mask is gone or was changed (``snapshot-changed``).
    """
    stored = CaseMask.objects.get(pk=entry["mask"])
    if not is_unchanged(stored.path, sha256=entry["mask_sha256"]):
        raise RejectedInput(
            "snapshot-changed",
            f"The approved mask of {entry['case']} is gone or was changed.",
            remedy="Restore the data folder from its backup.",
        )
    return label_alone(read_mask(stored.path, labels=stored.label_names), wanted.label)

"""`train_model`: trains a model on the approved masks, or on a folder of images and masks."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.commandline.cohort_arguments import use_device
from annotation_backend.learning.fold_training import (
    ENSEMBLE,
    planned_folds,
    split,
    train_final,
    train_folds,
    write_ensemble,
)
from annotation_backend.learning.learned_images import kinds_to_learn, label_to_learn
from annotation_backend.learning.snapshot_training import (
    examples_of_snapshot,
    snapshot_content,
    take_snapshot,
    train_on_snapshot,
)
from annotation_backend.learning.training_arguments import add_training, choice_of, fold_numbers, require_fitting
from annotation_backend.learning.training_examples import TrainingExamples, examples_of_folder
from annotation_backend.studies.arguments import add_study, study_of
from datasets.image.mask import TUMOUR
from training.model_package import read_description
from training.segmenters.postprocessing import Cleaning
from training.table.table import method_called

if TYPE_CHECKING:
    from training.fitting.choice import TrainingChoice

FEW_CASES = 10


class Command(MaskloopCommand):
    """Approved masks give a registered model (`promote_model` lets it serve); a folder gives packages in a folder."""

    help = "Train a model on the approved masks and register it, or on a folder without the database."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Method, training examples, duration and output."""
        add_training(parser)
        add_study(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Trains on approved masks or on a folder."""
        use_device(options)
        require_fitting(options)
        if options["cohort"] is None:
            return self._on_approved(options)
        examples, channels = examples_of_folder(
            options["cohort"],
            options["image_glob"],
            options["mask_glob"],
            resample=options["resample"],
            without=options["without"],
            mask_value=options["mask_value"],
        )
        choice = choice_of(options, channels, options["label"] or TUMOUR)
        work = self._final if options["folds"] is None else self._folds
        return self._about(choice, examples) | work(options, examples, choice), list(examples.findings)

    def _on_approved(self, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        study = study_of(options)
        label = label_to_learn(study.protocol, options["label"])
        takes_all = method_called(options["method"]).sees_all_images
        kinds = kinds_to_learn(
            study.protocol, options["channels"] or (None if takes_all else study.protocol.required[:1])
        )
        choice = choice_of(options, kinds, label)
        cases = [entry["case"] for entry in snapshot_content(study)["cases"]]
        self.say(f"{len(cases)} approved mask(s): {', '.join(cases)}")
        if len(cases) < FEW_CASES:
            self.say("So few cases teach a model little: expect it to draw poorly on other patients.")
        document: dict[str, Any] = {"cases": cases, "images": list(kinds), "label": label}
        if options["dry_run"]:
            return document, []
        snapshot = take_snapshot(study)
        findings = examples_of_snapshot(snapshot, kinds, label).findings
        run = train_on_snapshot(
            snapshot, choice, name=options["name"] or "", progress_of=self._progress_of, folds=options["folds"]
        )
        self.say(f"{run.model}: registered. `manage.py promote_model {run.model}` lets it serve.")
        trained = {"model": str(run.model), "snapshot": snapshot.digest, "final_loss": (run.losses or [None])[-1]}
        return document | trained, list(findings)

    def _about(self, choice: "TrainingChoice", examples: TrainingExamples) -> dict[str, Any]:
        cases = sorted(examples.patients)
        self.say(f"{choice.method.name} from {', '.join(choice.channels)} of {len(cases)} case(s): {', '.join(cases)}")
        return {"method": choice.method.name, "channels": list(choice.channels), "cases": cases}

    def _final(self, options: dict[str, Any], examples: TrainingExamples, choice: "TrainingChoice") -> dict[str, Any]:
        if options["dry_run"]:
            return {}
        package = train_final(
            choice,
            examples,
            options["out"],
            **_title(options),
            cleaning=Cleaning(options["cleaning"] or Cleaning.NONE),
            progress_of=self._progress_of,
        )
        return {"packages": [self._written(package)]}

    def _folds(self, options: dict[str, Any], examples: TrainingExamples, choice: "TrainingChoice") -> dict[str, Any]:
        count, seed, folder = options["folds"], options["seed"], options["out"]
        folds = split(examples, folds=count, seed=seed)
        numbers = fold_numbers(options["fold"], len(folds))
        document: dict[str, Any] = {"folds": [list(fold) for fold in folds]}
        if options["dry_run"]:
            return document
        trained = planned_folds(examples, folder, folds=count, seed=seed)
        packages = train_folds(choice, examples, trained, numbers, progress_of=self._progress_of)
        if options["ensemble"]:
            packages.append(folder / ENSEMBLE)
            document["cleaning"] = write_ensemble(
                examples, trained, packages[-1], **_title(options), seed=seed, progress_of=self._progress_of
            ).value
        return document | {"packages": [self._written(package) for package in packages]}

    def _written(self, package: Path) -> dict[str, str]:
        found = read_description(package)
        self.say(f"{package.name}: {found.title}")
        return {"folder": package.name, "model": found.title, "digest": found.digest}

    def _progress_of(self, what: str) -> Callable[..., None]:
        """A progress bar for each network of a training: two-stage has two, one after the other."""
        show, last = self.progress(what), 0

        def told(done: int, total: int, note: float | None = None) -> None:
            nonlocal show, last
            if done <= last:
                show = self.progress(f"{what}, next network")
            last = done
            show(done, total, note)

        return told


def _title(options: dict[str, Any]) -> dict[str, str]:
    """Name and version of the model."""
    return {"name": options["name"] or options["method"], "version": options["model_version"] or "1"}

"""`train_model`: trains a model on the approved masks, or on a folder of images and masks."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import OutputWrapper

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.commandline.cohort_arguments import use_device
from annotation_backend.learning.examples.learned_images import kinds_to_learn, label_to_learn
from annotation_backend.learning.examples.snapshots import snapshot_content, take_snapshot
from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.fold_training import ENSEMBLE, train_final, train_folds, write_ensemble
from annotation_backend.learning.refused_options import require_fitting
from annotation_backend.learning.retraining.rules import held_back
from annotation_backend.learning.running.arguments import running_of
from annotation_backend.learning.running.fold_tasks import FolderOfCases, read_folder, train_folds_on
from annotation_backend.learning.running.prepared import prepared_cases
from annotation_backend.learning.running.work_folders import work_folder
from annotation_backend.learning.snapshot_training import COMPARING, train_on_snapshot
from annotation_backend.learning.splitting.arguments import begun_rule, external_of, rule_of
from annotation_backend.learning.splitting.folds import planned_folds, require_apart, split
from annotation_backend.learning.training_arguments import add_training, choice_of, fold_numbers
from annotation_backend.studies.arguments import add_study, study_of
from datasets.image.mask import TUMOUR
from datasets.study.splits.rule import SplitName, SplitRule
from training.fitting.running.processes import is_first
from training.model_package import read_description
from training.segmenters.postprocessing import Cleaning
from training.table.table import method_called

if TYPE_CHECKING:
    from training.fitting.choice import TrainingChoice
    from training.methods.crossvalidation import TrainedFolds

FEW_CASES = 10


class Command(MaskloopCommand):
    """Approved masks give a registered model (`promote_model` lets it serve); a folder gives packages in a folder."""

    help = "Train a model on the approved masks and register it, or on a folder without the database."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Method, training examples, duration and output."""
        add_training(parser)
        add_study(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Trains on approved masks or on a folder; of several processes the first one answers for all."""
        document, findings = self._trained(options)
        return document, findings if is_first() else []

    def _trained(self, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        if not is_first():
            self.stdout = OutputWrapper(StringIO())
        use_device(options)
        require_fitting(options)
        prepared_cases().tidy()
        if options["cohort"] is None:
            return self._on_approved(options)
        folder = folder_of(options)
        examples, channels = read_folder(folder)
        choice, rule = choice_of(options, channels, options["label"] or TUMOUR), rule_of(options)
        document = self._about(choice, examples)
        if not options["dry_run"]:
            require_apart(examples, progress=self.progress(COMPARING))
        if rule is None:
            return document | self._final(options, examples, choice), list(examples.findings)
        rule = begun_rule(options, options["out"], rule)
        found, findings = self._folds(options, examples, choice, rule, folder=folder)
        return document | found, [*examples.findings, *findings]

    def say(self, text: str) -> None:
        """One line for the person at the terminal; of several processes the first one says it."""
        if is_first():
            super().say(text)

    def _on_approved(self, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        study = study_of(options)
        label = label_to_learn(study.protocol, options["label"])
        sees_all = method_called(options["method"]).sees_all_images
        kinds = kinds_to_learn(study.protocol, options["channels"], sees_all_images=sees_all)
        choice = choice_of(options, kinds, label)
        rule, external = rule_of(options), held_back(study, external_of(options))
        cases = [entry["case"] for entry in snapshot_content(study)["cases"]]
        self.say(f"{len(cases)} approved mask(s): {', '.join(cases)}")
        if len(cases) < FEW_CASES:
            self.say("So few cases teach a model little: expect it to draw poorly on other patients.")
        document: dict[str, Any] = {"cases": cases, "images": list(kinds), "label": label}
        if options["dry_run"]:
            return document, []
        snapshot = take_snapshot(study)
        if rule is not None:
            earlier = SplitRule(SplitName.GROUPED, folds=rule.folds, seed=rule.seed) if rule.folds else rule
            rule = begun_rule(options, work_folder(snapshot, choice, earlier, external), rule)
        run = train_on_snapshot(
            snapshot,
            choice,
            name=options["name"] or "",
            progress_of=self._progress_of,
            rule=rule,
            external=external,
            running=running_of(options),
        )
        if not is_first():
            return document, run.findings
        self.say(f"{run.model}: registered. `manage.py promote_model {run.model}` lets it serve.")
        trained = {"model": str(run.model), "snapshot": snapshot.digest, "final_loss": (run.losses or [None])[-1]}
        return document | trained, run.findings

    def _about(self, choice: "TrainingChoice", examples: TrainingExamples) -> dict[str, Any]:
        cases = sorted(examples.cases)
        self.say(f"{choice.method.name} from {', '.join(choice.channels)} of {len(cases)} case(s): {', '.join(cases)}")
        return {"method": choice.method.name, "channels": list(choice.channels), "cases": cases}

    def _final(self, options: dict[str, Any], examples: TrainingExamples, choice: "TrainingChoice") -> dict[str, Any]:
        if options["dry_run"]:
            return {}
        package = train_final(
            choice,
            examples,
            options["out"],
            name=_name(options),
            version=_version(options),
            cleaning=Cleaning(options["cleaning"] or Cleaning.NONE),
            progress_of=self._progress_of,
            running=running_of(options),
        )
        return {"packages": [self._written(package)]} if is_first() else {}

    def _folds(
        self,
        options: dict[str, Any],
        examples: TrainingExamples,
        choice: "TrainingChoice",
        rule: SplitRule,
        *,
        folder: FolderOfCases,
    ) -> tuple[dict[str, Any], list[str]]:
        folds, findings = split(examples, rule)
        numbers = fold_numbers(options["fold"], len(folds))
        document: dict[str, Any] = {"folds": [list(fold) for fold in folds], "split": rule.described}
        if options["dry_run"]:
            return document, list(findings)
        trained = planned_folds(examples, options["out"], rule, progress=self.progress(COMPARING))
        packages = self._train_folds(options, choice, examples, trained, numbers, folder=folder)
        if not is_first():
            return document, list(findings)
        if options["ensemble"]:
            packages.append(options["out"] / ENSEMBLE)
            document["cleaning"] = write_ensemble(
                examples,
                trained,
                packages[-1],
                name=_name(options),
                version=_version(options),
                seed=options["seed"],
                progress_of=self._progress_of,
            ).value
        return document | {"packages": [self._written(package) for package in packages]}, list(findings)

    def _train_folds(
        self,
        options: dict[str, Any],
        choice: "TrainingChoice",
        examples: TrainingExamples,
        trained: "TrainedFolds",
        numbers: Sequence[int],
        *,
        folder: FolderOfCases,
    ) -> list[Path]:
        """Trains folds here, one after the other, or on a cluster."""
        running = running_of(options)
        if options["scheduler"]:
            return train_folds_on(
                options["scheduler"],
                choice,
                folder,
                trained,
                numbers,
                running=running,
                progress=self.progress("fold"),
            )
        return train_folds(choice, examples, trained, numbers, progress_of=self._progress_of, running=running)

    def _written(self, package: Path) -> dict[str, str]:
        found = read_description(package)
        self.say(f"{package.name}: {found.title}")
        return {"folder": package.name, "model": found.title, "digest": found.digest}

    def _progress_of(self, what: str) -> Callable[..., None]:
        """A progress bar for each network of a training: two-stage has two, one after the other.

        Of several processes the first one shows it.
        """
        if not is_first():
            return lambda *_told: None
        show, last = self.progress(what), 0

        def told(done: int, total: int, note: float | None = None) -> None:
            nonlocal show, last
            if done <= last:
                show = self.progress(f"{what}, next network")
            last = done
            show(done, total, note)

        return told


def folder_of(options: dict[str, Any]) -> FolderOfCases:
    """The folder of training examples that the options name, with whole paths: workers may run elsewhere."""
    return FolderOfCases(
        options["cohort"].absolute(),
        tuple(options["image_glob"]),
        options["mask_glob"],
        resample=options["resample"],
        without=tuple(options["without"]),
        mask_value=options["mask_value"],
        table=options["case_table"] and options["case_table"].absolute(),
        external=external_of(options),
    )


def _name(options: dict[str, Any]) -> str:
    return str(options["name"] or options["method"])


def _version(options: dict[str, Any]) -> str:
    return str(options["model_version"] or "1")

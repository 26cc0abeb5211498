"""Rounds of annotating, approving and training, in a folder from which a killed run goes on.

    <folder>/rounds.json                       what is done: cases, settings; another run is refused
    <folder>/round-0/work/CASE.json            work with empty drafts: the held-out cases, and those of round 1
    <folder>/round-0/masks/CASE.nii.gz         what the annotator left, which is approved
    <folder>/round-1/model                     learned from all masks of rounds before; then its work and masks …

Nothing is learned from a reference: the annotator's own mask is, as it was left. The held-out cases are worked on after
every training, so that both figures compare the same patients; nobody learns from them.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file, write_json
from datasets.formats.nifti import read_mask, write_mask
from datasets.image.mask import Mask
from datasets.progress import Progress
from training.annotators.strategy import BY_HAND, OUTLINED, STRATEGIES, Strategy
from training.annotators.study import StudyRules
from training.fitting.choice import TrainingChoice
from training.fitting.running.running import ALONE, Running
from training.methods.loading import load_segmenter
from training.methods.train import package_trained, train_method
from training.model_package import read_description
from training.rounds.plan import RoundsPlan
from training.rounds.work import CaseWork, draft_of, worked
from training.segmenters.postprocessing import Cleaning
from training.segmenters.segmenter import Segmenter
from training.table.method import PromptType

if TYPE_CHECKING:
    from training.fitting.examples import Example

LIST_NAME = "rounds.json"

DRAFT_STRATEGIES = (OUTLINED, STRATEGIES["strokes"], BY_HAND)
"""Strategies that prompt no model."""

ProgressOf = Callable[[str], Callable[..., None]]
"""Makes a progress display with a title; it is called with done, to do and, in trainings, the loss."""


@dataclass(frozen=True)
class RoundsRules:
    """What holds for every round.

    Args:
        choice: Method and settings of each training.
        iterations_a_case: Iterations for each approved case; None for the same number in every training.
        strategies: How the annotator works; what the first one leaves is learned from.
        annotator: Brush, when it is good enough, seed.
        cleaning: Post-processing of the drafts.

    Raises:
        RejectedInput: The method draws nothing without a prompt (``rounds-method``), or a number is too small
            (``fit-settings``).
    """

    choice: TrainingChoice
    iterations_a_case: int | None = None
    strategies: tuple[Strategy, ...] = DRAFT_STRATEGIES[:2]
    annotator: StudyRules = field(default_factory=StudyRules)
    cleaning: Cleaning = Cleaning.NONE

    def __post_init__(self) -> None:
        method = self.choice.method
        if PromptType.AUTOMATIC not in method.answers or method.needs_contour:
            raise RejectedInput(
                "rounds-method",
                f"{method} draws nothing without a prompt, so it makes no drafts.",
                remedy="Choose a method that draws by itself, such as unet-25d.",
            )
        if self.iterations_a_case is not None and self.iterations_a_case < 1:
            raise RejectedInput(
                "fit-settings", "A training needs at least one iteration a case.", remedy="Give a positive number."
            )

    def choice_for(self, cases: int) -> TrainingChoice:
        """The settings of a training on some cases."""
        if self.iterations_a_case is None:
            return self.choice
        return replace(self.choice, iterations=self.iterations_a_case * cases)

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "choice": self.choice.described,
            "iterations_a_case": self.iterations_a_case,
            "strategies": [each.name for each in self.strategies],
            "annotator": self.annotator.described,
            "cleaning": self.cleaning.value,
        }


class LearningRounds:
    """Rounds on a cohort.

    Args:
        plan: Which cases are annotated when, and which are held out.
        load: Reads a case with its reference.
        rules: What holds for every round.
        folder: Where everything is kept.
        inputs: SHA-256 of the cohort's files.
        progress_of: Makes the progress displays.
        running: How trainings run.

    Raises:
        RejectedInput: The folder holds other rounds (``rounds-differ``).
    """

    def __init__(
        self,
        plan: RoundsPlan,
        load: "Callable[[str], Example]",
        rules: RoundsRules,
        folder: Path,
        *,
        inputs: Mapping[str, str],
        progress_of: ProgressOf,
        running: Running = ALONE,
    ) -> None:
        self.plan, self.rules, self.folder = plan, rules, folder
        self._load, self._progress_of, self._running = load, progress_of, running
        self._begin(dict(inputs))

    def run(self) -> list[CaseWork]:
        """Works all rounds through; what is done already is kept.

        Returns:
            The work on every case, in the order in which it was done.

        Raises:
            RejectedInput: A case cannot be read, or a training failed.
        """
        found: list[CaseWork] = []
        for models in range(len(self.plan.rounds) + 1):
            if models:
                self._train(models)
            found += self._work(models)
        return found

    def _begin(self, inputs: Mapping[str, str]) -> None:
        described = {
            "rounds": [list(cases) for cases in self.plan.rounds],
            "held_out": list(self.plan.held_out),
            "inputs": dict(inputs),
            **self.rules.described,
        }
        path = self.folder / LIST_NAME
        if path.exists():
            try:
                is_same = canonical_json(json.loads(path.read_text(encoding="utf-8"))) == canonical_json(described)
            except ValueError:
                is_same = False
            if not is_same:
                raise RejectedInput(
                    "rounds-differ",
                    "The folder holds rounds of other cases or settings.",
                    remedy="Choose another folder, or give the cohort and the settings that they were begun with.",
                )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(path, described)

    def _round(self, models: int) -> Path:
        return self.folder / f"round-{models}"

    def _work(self, models: int) -> list[CaseWork]:
        """Work with the drafts of the newest model: held-out cases, and the cases of the round that begins."""
        new = self.plan.rounds[models] if models < len(self.plan.rounds) else ()
        wanted = [*((case, True) for case in self.plan.held_out), *((case, False) for case in new)]
        place, segmenter = self._round(models) / "work", None
        show: Progress = self._progress_of(f"round {models}: case")
        rows: list[CaseWork] = []
        for done, (case, is_held_out) in enumerate(wanted, start=1):
            kept = _kept(place / f"{case}.json")
            if kept is None:
                segmenter = segmenter or self._segmenter(models)
                kept = self._one(case, segmenter, models, is_held_out=is_held_out)
            rows += kept
            show(done, len(wanted))
        return rows

    def _one(self, case: str, segmenter: Segmenter | None, models: int, *, is_held_out: bool) -> list[CaseWork]:
        example, own = self._load(case), self._round(models)
        draft = draft_of(segmenter, example)
        rows, left = worked(
            example, draft, self.rules.strategies, self.rules.annotator, models=models, is_held_out=is_held_out
        )
        if not is_held_out:
            (own / "masks").mkdir(parents=True, exist_ok=True)
            write_mask(own / "masks" / f"{case}.nii.gz", Mask(left.astype(np.uint8), example.mask.grid))
        (own / "work").mkdir(parents=True, exist_ok=True)
        write_json(own / "work" / f"{case}.json", [row.as_dict() for row in rows])  # last: then the case is done
        return rows

    def _segmenter(self, models: int) -> Segmenter | None:
        package = self._round(models) / "model"
        return load_segmenter(package, expected_digest=read_description(package).digest) if models else None

    def _train(self, models: int) -> None:
        """Trains a model on all masks that are approved so far; one that was trained is kept."""
        own, cases = self._round(models), self.plan.approved_after(models)
        if (own / "model").exists():
            return
        choice, checkpoints = self.rules.choice_for(len(cases)), own / "checkpoints"
        fitted = train_method(
            choice,
            [self._approved(case) for case in cases],
            checkpoints=checkpoints,
            progress=self._progress_of(f"round {models}: iteration"),
            running=self._running,
        )
        masks = {case: sha256_of_file(self._mask(case)) for case in cases}
        package_trained(
            [fitted],
            own / "model",
            name=f"round-{choice.method}",
            version=str(models),
            inputs={"masks": sha256_of_bytes(canonical_json(masks))},
            parameters={"cleaning": self.rules.cleaning.value},
        )
        shutil.rmtree(checkpoints, ignore_errors=True)

    def _mask(self, case: str) -> Path:
        number = next(at for at, cases in enumerate(self.plan.rounds) if case in cases)
        return self._round(number) / "masks" / f"{case}.nii.gz"

    def _approved(self, case: str) -> "Example":
        """A case as models learn it: the annotator's mask in the place of the reference."""
        example, left = self._load(case), read_mask(self._mask(case))
        example.mask.grid.require_match(left.grid, what="A kept mask")
        return replace(example, mask=Mask(left.data, example.mask.grid))


def _kept(path: Path) -> list[CaseWork] | None:
    """The work on a case that was done before; None where there is none that can be read."""
    try:
        return [CaseWork(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None


def strategies_of(names: Sequence[str]) -> tuple[Strategy, ...]:
    """Strategies that need no model to prompt, by their names, each once.

    Raises:
        RejectedInput: There is no such strategy (``annotator-strategy``).
    """
    known = {each.name: each for each in DRAFT_STRATEGIES}
    if not names or (unknown := [name for name in names if name not in known]):
        raise RejectedInput(
            "annotator-strategy",
            f"Expected strategies out of {', '.join(known)}, got {', '.join(unknown) if names else 'none'}.",
            remedy="Correct --strategies.",
        )
    return tuple(known[name] for name in dict.fromkeys(names))

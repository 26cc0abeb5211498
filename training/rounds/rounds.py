"""Rounds of annotating, approving and training; what was done is kept in a folder, so that a killed run goes on.

    <folder>/rounds.json                 what is done: cases, settings; another run is refused
    <folder>/round-0/work/CASE.json      work with empty drafts: the held-out cases, and those of round 1
    <folder>/round-1/work/CASE.json      work with the drafts of the first model; and so on

Nothing is learned from a reference: the annotator's own mask is, as it was left. The held-out cases are worked on after
every training, so that both figures compare the same patients; nobody learns from them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from datasets.errors import RejectedInput
from datasets.files import canonical_json, write_json
from datasets.image.mask import Inside
from datasets.progress import Progress, ProgressOf
from training.annotators.strategy import BY_HAND, OUTLINED, STRATEGIES, Strategy
from training.annotators.study import StudyRules
from training.fitting.choice import TrainingChoice
from training.rounds.plan import RoundsPlan
from training.rounds.work import CaseWork, worked
from training.segmenters.postprocessing import Cleaning
from training.table.method import PromptType

if TYPE_CHECKING:
    from training.fitting.examples import Example

LIST_NAME = "rounds.json"

DRAFT_STRATEGIES = (OUTLINED, STRATEGIES["strokes"], BY_HAND)
"""Strategies that prompt no model."""


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


class Loop(Protocol):
    """Where rounds take place: in a folder, or in a study of a database."""

    def load(self, case: str) -> "Example":
        """A case with its reference, which the annotator knows."""
        ...

    def draft(self, example: "Example", models: int) -> Inside:
        """What the model of a round draws on a case, bool on its grid; empty where `models` is 0."""
        ...

    def approve(self, example: "Example", left: Inside, work: CaseWork) -> None:
        """Approves what the annotator left; a case that is approved already stays as it is."""
        ...

    def train(self, models: int, cases: Sequence[str]) -> None:
        """Trains a model on the approved masks of some cases; one that was trained is kept."""
        ...


class LearningRounds:
    """Rounds on some cases.

    Args:
        plan: Which cases are annotated when, and which are held out.
        loop: Where they take place.
        rules: What holds for every round.
        folder: Where the work is kept.
        inputs: SHA-256 of what the cases are made of.
        progress_of: Makes the progress displays.

    Raises:
        RejectedInput: The folder holds other rounds (``rounds-differ``).
    """

    def __init__(
        self,
        plan: RoundsPlan,
        loop: Loop,
        rules: RoundsRules,
        folder: Path,
        *,
        inputs: Mapping[str, str],
        progress_of: ProgressOf,
    ) -> None:
        self._plan, self._loop, self._rules, self._folder = plan, loop, rules, folder
        self._progress_of = progress_of
        _begin(folder, plan, rules, inputs)

    def run(self) -> list[CaseWork]:
        """Works all rounds through; what is done already is kept.

        Returns:
            The work on every case, in the order in which it was done.

        Raises:
            RejectedInput: A case cannot be read, or a training failed.
        """
        found: list[CaseWork] = []
        for models in range(len(self._plan.rounds) + 1):
            if models:
                self._loop.train(models, self._plan.approved_after(models))
            found += self._work(models)
        return found

    def _work(self, models: int) -> list[CaseWork]:
        """Work with the drafts of the newest model: held-out cases, and the cases of the round that begins."""
        new = self._plan.rounds[models] if models < len(self._plan.rounds) else ()
        wanted = [*((case, True) for case in self._plan.held_out), *((case, False) for case in new)]
        show: Progress = self._progress_of(f"round {models}: case")
        rows: list[CaseWork] = []
        for done, (case, is_held_out) in enumerate(wanted, start=1):
            path = round_folder(self._folder, models) / "work" / f"{case}.json"
            kept = _kept(path)
            rows += self._one(case, path, models, is_held_out=is_held_out) if kept is None else kept
            show(done, len(wanted))
        return rows

    def _one(self, case: str, path: Path, models: int, *, is_held_out: bool) -> list[CaseWork]:
        example, rules = self._loop.load(case), self._rules
        draft = self._loop.draft(example, models)
        rows, left = worked(example, draft, rules.strategies, rules.annotator, models=models, is_held_out=is_held_out)
        if not is_held_out:
            self._loop.approve(example, left, rows[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, [row.as_dict() for row in rows])  # last: then the case is done
        return rows


def round_folder(folder: Path, models: int) -> Path:
    """The folder of a round, by the number of models that had been trained."""
    return folder / f"round-{models}"


def _begin(folder: Path, plan: RoundsPlan, rules: RoundsRules, inputs: Mapping[str, str]) -> None:
    """Writes what is done, or checks that it is written in the folder."""
    described = {
        "rounds": [list(cases) for cases in plan.rounds],
        "held_out": list(plan.held_out),
        "inputs": dict(inputs),
        **rules.described,
    }
    path = folder / LIST_NAME
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, described)
        return
    try:
        is_same = canonical_json(json.loads(path.read_text(encoding="utf-8"))) == canonical_json(described)
    except (OSError, ValueError):
        is_same = False
    if not is_same:
        raise RejectedInput(
            "rounds-differ",
            "The folder holds rounds of other cases or settings.",
            remedy="Choose another folder, or give the cohort and the settings that they were begun with.",
        )


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

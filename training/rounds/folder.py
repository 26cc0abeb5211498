"""Rounds in a folder: masks and packages as files, no database.

<folder>/round-0/masks/CASE.nii.gz   what the annotator left, which is approved
<folder>/round-1/model               learned from all masks of the rounds before
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file
from datasets.formats.nifti import read_mask, write_mask
from datasets.image.mask import Inside, Mask
from datasets.progress import ProgressOf
from training.fitting.running.running import ALONE, Running
from training.methods.loading import load_segmenter
from training.methods.train import package_trained, train_method
from training.model_package import read_description
from training.rounds.plan import RoundsPlan
from training.rounds.rounds import RoundsRules, round_folder
from training.rounds.work import CaseWork, draft_of
from training.segmenters.segmenter import Segmenter

if TYPE_CHECKING:
    from training.fitting.examples import Example


class FolderLoop:
    """Rounds in a folder.

    Args:
        plan: Which cases are annotated when.
        read: Reads a case with its reference.
        rules: What holds for every round.
        folder: Where masks and models are kept.
        progress_of: Makes the progress displays.
        running: How trainings run.
    """

    def __init__(
        self,
        plan: RoundsPlan,
        read: "Callable[[str], Example]",
        rules: RoundsRules,
        folder: Path,
        *,
        progress_of: ProgressOf,
        running: Running = ALONE,
    ) -> None:
        self._plan, self._read, self._rules, self._folder = plan, read, rules, folder
        self._progress_of, self._running = progress_of, running
        self._loaded: tuple[int, Segmenter] | None = None

    def load(self, case: str) -> "Example":
        """A case with its reference."""
        return self._read(case)

    def draft(self, example: "Example", models: int) -> Inside:
        """What the package of a round draws on a case."""
        if models and (self._loaded is None or self._loaded[0] != models):
            package = round_folder(self._folder, models) / "model"
            self._loaded = models, load_segmenter(package, expected_digest=read_description(package).digest)
        return draft_of(self._loaded[1] if models and self._loaded else None, example)

    def approve(self, example: "Example", left: Inside, work: CaseWork) -> None:
        """Keeps the mask that the annotator left."""
        masks = round_folder(self._folder, work.models) / "masks"
        masks.mkdir(parents=True, exist_ok=True)
        write_mask(masks / f"{example.case}.nii.gz", Mask(left.astype(np.uint8), example.mask.grid))

    def train(self, models: int, cases: Sequence[str]) -> None:
        """Trains on kept masks; a package that is there is kept."""
        own = round_folder(self._folder, models)
        if (own / "model").exists():
            return
        choice, checkpoints = self._rules.choice_for(len(cases)), own / "checkpoints"
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
            parameters={"cleaning": self._rules.cleaning.value},
        )
        shutil.rmtree(checkpoints, ignore_errors=True)

    def _mask(self, case: str) -> Path:
        number = next(at for at, cases in enumerate(self._plan.rounds) if case in cases)
        return round_folder(self._folder, number) / "masks" / f"{case}.nii.gz"

    def _approved(self, case: str) -> "Example":
        """A case as models learn it: the annotator's mask in the place of the reference."""
        example, left = self._read(case), read_mask(self._mask(case))
        example.mask.grid.require_match(left.grid, what="A kept mask")
        return replace(example, mask=Mask(left.data, example.mask.grid))

"""The folds of a training's examples, and the check that nothing is on both sides of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotation_backend.learning.examples.training_examples import TrainingExamples
from datasets.errors import RejectedInput
from datasets.files import write_json
from datasets.image.digest import pixels_sha256
from datasets.progress import Progress
from datasets.study.splits.leaks import require_no_leak
from datasets.study.splits.left_out import learned_from
from datasets.study.splits.rule import SplitRule
from datasets.study.splits.split_case import Folds

if TYPE_CHECKING:
    from training.methods.crossvalidation import TrainedFolds

PIXELS_NAME = "pixels.json"
"""Digests of the images of a folder of folds, so that a training that goes on need not read them all again."""

Pixels = Mapping[str, Sequence[str]]
"""Digests of each case's images."""


def split(examples: TrainingExamples, rule: SplitRule) -> tuple[Folds, tuple[str, ...]]:
    """The cases each fold is tested on, and what is to be said of them.

    Raises:
        RejectedInput: Too few patients for that many folds, or the rule lacks what it splits by.
    """
    cases = examples.sized_cases()
    folds = rule.test_sets(cases)
    return folds, tuple(str(finding) for finding in rule.findings(cases, folds))


def planned_folds(
    examples: TrainingExamples, folder: Path, rule: SplitRule, *, progress: Progress | None = None
) -> "TrainedFolds":
    """Writes which cases each fold is tested on, or checks that such folds are written there; stops at a leak.

    Args:
        examples: All cases.
        folder: Of the folds.
        rule: By which they are split.
        progress: Called with the cases whose images were read for the check, and those to read.

    Raises:
        RejectedInput: As `split`; `folder` holds other folds, or one patient or image is on both sides of a fold
            (``split-leak``).
    """
    from training.methods.crossvalidation import begin_folds

    folds, _ = split(examples, rule)
    pixels = _kept_pixels(examples, folder, progress)
    _require_no_leaks(examples, folds, pixels)  # before such folds are written and kept
    trained = begin_folds(folder, folds, rule)
    _require_no_leaks(examples, trained.folds, pixels)
    return trained


def require_apart(examples: TrainingExamples, *, progress: Progress | None = None) -> None:
    """Refuses examples of a patient of their external cohort, or that show one of its images under another name.

    Args:
        examples: All cases.
        progress: Called with the cases whose images were read, and those to read.

    Raises:
        RejectedInput: ``split-leak``, with the codes of the cases.
    """
    if examples.external is None:
        return
    learned, held = list(examples.cases.values()), examples.external_cases
    require_no_leak(learned, held, {})
    pixels = pixels_of(examples, [case.case for case in (*learned, *held)], progress)
    require_no_leak(learned, held, pixels)
    listed = set(examples.external.pixels)
    if found := sorted(case for case in examples.cases if listed & set(pixels[case])):
        raise RejectedInput(
            "split-leak",
            f"Cases that are learned from show images of the external cohort {examples.external.name}: "
            f"{', '.join(found)}.",
            remedy="Leave them out.",
        )


def _require_no_leaks(examples: TrainingExamples, folds: Folds, pixels: Pixels) -> None:
    cases = list(examples.cases.values())
    for tested in folds:
        own = [case for case in cases if case.case in set(tested)]
        require_no_leak(learned_from(cases, tested), own, pixels)


def _kept_pixels(examples: TrainingExamples, folder: Path, progress: Progress | None) -> Pixels:
    """The digests of all cases' images, read once for the folds of a folder."""
    path, inputs, cases = folder / PIXELS_NAME, dict(examples.inputs), sorted(examples.cases)
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["inputs"] == inputs and sorted(kept["pixels"]) == cases:
            return dict(kept["pixels"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    found = pixels_of(examples, cases, progress)
    write_json(path, {"inputs": inputs, "pixels": found})
    return found


def pixels_of(examples: TrainingExamples, cases: Sequence[str], progress: Progress | None) -> dict[str, list[str]]:
    """Digests of the images of cases; one image is in memory at a time.

    Args:
        examples: All cases.
        cases: Those that are read, external ones as well.
        progress: Called with the cases read, and those to read.

    Raises:
        RejectedInput: An image cannot be read; the message names its case.
    """
    found = {}
    for number, case in enumerate(cases, start=1):
        try:
            found[case] = [pixels_sha256(volume) for volume in examples.images_of(case)]
        except RejectedInput as error:
            raise RejectedInput(error.code, f"{case}: {error.message}", remedy=error.remedy) from error
        if progress is not None:
            progress(number, len(cases))
    return found

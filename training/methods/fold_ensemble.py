"""The ensemble of a cross-validation's folds, with post-processing chosen on the cases each fold was not trained on.

Source: InteractiveNet's and nnU-Net's final models are the ensemble of their five folds.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.progress import Progress
from training.fitting.choice import Trained, TrainingChoice
from training.methods.crossvalidation import TrainedFolds
from training.methods.held_out import HeldOutMasks
from training.methods.train import package_trained
from training.model_package import ModelDescription, Tensors, read_description, read_package
from training.segmenters.postprocessing import Cleaning, best_cleaning

if TYPE_CHECKING:
    from training.fitting.examples import Example

Drawn = Callable[["Example"], Inside]
"""Gives the mask that the first fold drew of a case that was not trained on it."""


def best_cleaning_of_folds(
    trained: TrainedFolds,
    examples: "Sequence[Example]",
    *,
    seed: int = 0,
    drawn: Drawn | None = None,
    progress: Progress | None = None,
) -> Cleaning:
    """The post-processing with the best Dice, over all cases as drawn by the fold that was not trained on them.

    Cases that none of several random splits tries are passed over. Each case is drawn once, after the
    usual prompts, at least one click. Methods that draw clicked slices get none.

    Args:
        trained: All folds, trained.
        examples: All cases.
        seed: Of the prompts.
        drawn: Gives the masks where they were drawn already; None to draw them.
        progress: Called with (cases drawn, cases to draw).

    Raises:
        RejectedInput: A fold was not trained, or a case is in none.
    """
    if read_description(trained.package(0)).method.draws_clicked_slices:
        return Cleaning.NONE
    masks = HeldOutMasks.of(trained, seed=seed)
    found = drawn or (lambda example: masks(example, trained.fold_of(example.case)))
    return best_cleaning(_pairs(trained, examples, found, progress))


def package_folds(
    trained: TrainedFolds, folder: Path, *, name: str, version: str, cleaning: Cleaning = Cleaning.NONE
) -> str:
    """Writes all folds as one ensemble.

    Args:
        trained: All folds, trained.
        folder: Folder of the package.
        name: Kebab-case name.
        version: Its version.
        cleaning: Post-processing of masks.

    Returns:
        The package's digest.

    Raises:
        RejectedInput: A fold was not trained, they were trained differently, or another model lies at `folder`.
    """
    packages = [trained.package(number) for number in range(len(trained.folds))]
    read = [read_package(each, expected_digest=read_description(each).digest) for each in packages]
    inputs = read[0][0].inputs
    if any(description.inputs != inputs for description, _ in read):
        raise RejectedInput(
            "members-differ",
            "The folds were trained on different cohorts.",
            remedy="Train them on the same files.",
        )
    members = [_trained(description, tensors) for description, tensors in read]
    return package_trained(
        members, folder, name=name, version=version, inputs=inputs, parameters={"cleaning": cleaning.value}
    )


def _pairs(
    trained: TrainedFolds, examples: "Sequence[Example]", drawn: Drawn, progress: Progress | None
) -> Iterator[tuple[Inside, Inside]]:
    if trained.are_random_splits:
        tested = {case for fold in trained.folds for case in fold}
        examples = [example for example in examples if example.case in tested]
    for number, example in enumerate(examples, start=1):
        yield drawn(example), example.mask.foreground
        if progress is not None:
            progress(number, len(examples))


def _trained(description: ModelDescription, tensors: Tensors) -> Trained:
    """A fold's training, read from its package, with its last losses only."""
    try:
        fit = description.parameters["fit"]
        choice = TrainingChoice.from_described(fit["choice"])
        (member,) = fit["members"]
        losses = [[float(last)] for last in member["last_loss"]]
        networks: list[dict[str, Any]] = [{} for _ in losses]
        for name, tensor in tensors.items():
            number, _, own = name.partition("/")
            networks[int(number)][own] = tensor
        plan = {key: value for key, value in description.parameters.items() if key not in ("fit", "members")}
        return Trained(choice, plan, networks, losses, tuple(member["cases"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RejectedInput(
            "fold-package",
            "The package does not say how it was trained, so it is not that of a fold.",
            remedy="Train the fold again.",
        ) from error

"""The model that a command names: a shipped one, a package folder, a folder of folds, or a registered one.

Only registered models need a database, so that models can be tried on files in a fresh checkout.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import DatabaseError

from annotation_backend.registry.model_registry import converted_package, find_model, models_folder
from datasets.errors import RejectedInput
from training.learned_cases import learned_cases
from training.methods.crossvalidation import FOLDS_NAME, FoldSegmenters, TrainedFolds
from training.methods.mean import MeanSegmenter
from training.methods.train import FINAL
from training.model_package import DESCRIPTION_NAME, ModelDescription, read_description
from training.pretrained.shipped import shipped_packages
from training.table.method import Method
from training.table.table import methods

if TYPE_CHECKING:
    from training.methods.fold_evaluation import TriedFolds
    from training.segmenters.segmenter import Segmenter

MEAN = "mean"
"""What several models together are called where one model's method is named."""


@dataclass(frozen=True, eq=False)
class ChosenModel:
    """A model that was named.

    Args:
        title: Name and version; for folds, their folder's name and number.
        description: The package's description; for folds, that of the first trained fold; for a mean, the first
            member's with the images of all.
        folder: The package, or the folder of the folds.
        digest: Digest that the package must have; empty for folds, whose packages are checked against themselves.
        members: Models whose mean probability this one draws; () for one that draws by itself.
    """

    title: str
    description: ModelDescription
    folder: Path
    digest: str
    members: "tuple[ChosenModel, ...]" = ()

    @property
    def method_name(self) -> str:
        """Name of its method; ``mean`` for the mean of several models."""
        return MEAN if self.members else self.description.method.name

    @property
    def is_of_folds(self) -> bool:
        """Whether this is a cross-validation: each case is drawn by the fold that was not trained on it."""
        return not self.digest

    @property
    def folds(self) -> tuple[tuple[str, ...], ...]:
        """The cases that each fold is tested on; () for a single model."""
        return TrainedFolds.read(self.folder).folds if self.is_of_folds else ()

    def require_one(self) -> None:
        """Refuses folds, of which each draws other cases.

        Raises:
            RejectedInput: This is a cross-validation (``model-of-folds``).
        """
        if self.is_of_folds:
            raise RejectedInput(
                "model-of-folds",
                "This is a folder of folds, and one model is needed.",
                remedy="Name one of its packages, such as ensemble or fold-1, or a final model.",
            )

    def segmenter(self) -> "Segmenter":
        """The loaded model.

        Raises:
            RejectedInput: This is a cross-validation, or the package is damaged.
        """
        from training.methods.loading import load_segmenter

        self.require_one()
        if self.members:
            return MeanSegmenter([each.segmenter() for each in self.members], title=self.title)
        return load_segmenter(self.folder, expected_digest=self.digest)

    def tried_folds(self) -> "TriedFolds":
        """The folds, each with its segmenter; a mean's is the mean of the members' folds that try the same cases."""
        from training.methods.fold_evaluation import TriedFolds

        trained = TrainedFolds.read(self.folder)
        method = self.description.method
        if not self.members:
            return TriedFolds(trained, method, FoldSegmenters(trained).of_fold)
        theirs = [TrainedFolds.read(each.folder) for each in self.members]
        loaded = [FoldSegmenters(each) for each in theirs]

        def mean_of(number: int) -> MeanSegmenter:
            places = [[*map(frozenset, each.folds)].index(frozenset(trained.folds[number])) for each in theirs]
            own = [folds.of_fold(place) for folds, place in zip(loaded, places, strict=True)]
            return MeanSegmenter(own, title=self.title)

        return TriedFolds(trained, method, mean_of)


def choose_model(name: str) -> ChosenModel:
    """Finds the model of a name or a folder.

    Args:
        name: A shipped model's name (``six-points``), a folder, or a registered model's name-version; the first
            that exists is taken (``./six-points`` is a folder). A training's folder means its final model.

    Raises:
        RejectedInput: There is no such model, or its description is damaged.
    """
    shipped = shipped_packages()
    if name in shipped:
        return _package(shipped[name])
    if name in methods() and methods()[name].convert:
        return _package(_converted(methods()[name]))
    folder = Path(name)
    if (folder / FOLDS_NAME).is_file():
        return _folds(folder)
    if folder.is_dir():
        own = (folder / DESCRIPTION_NAME).exists()
        return _package(folder if own or not (folder / FINAL).is_dir() else folder / FINAL)
    return _registered(name)


def seen_cases(model: ChosenModel, cases: Sequence[str]) -> list[str]:
    """The cases with the name of a training example of the model; none for folds, which are not tried on their own."""
    if model.is_of_folds:
        return []
    learned = {case for each in model.members or (model,) for case in learned_cases(each.description, cases)}
    return [case for case in cases if case in learned]


def _package(folder: Path) -> ChosenModel:
    description = read_description(folder)
    return ChosenModel(description.title, description, folder, description.digest)


def _folds(folder: Path) -> ChosenModel:
    trained = TrainedFolds.read(folder)
    packages = [trained.package(number) for number in range(len(trained.folds))]
    found = [package for package in packages if (package / DESCRIPTION_NAME).exists()]
    if not found:
        raise RejectedInput(
            "folds-untrained", "None of the folds is trained yet.", remedy="Train at least one of them."
        )
    return ChosenModel(f"{folder.resolve().name} ({len(packages)} folds)", read_description(found[0]), folder, "")


def _converted(method: Method) -> Path:
    """A converted package in the data folder, or in a temporary folder if the data folder cannot be written."""
    try:
        return converted_package(method, models_folder())
    except OSError:
        return converted_package(method, Path(tempfile.mkdtemp(prefix="maskloop-")))


def _registered(name: str) -> ChosenModel:
    try:
        model = find_model(name)
    except DatabaseError as error:
        raise RejectedInput(
            "model-unknown",
            "No shipped model and no folder has this name, and registered models cannot be read: there is no database.",
            remedy=f"Name one of {', '.join(_names())}, or give a folder with {DESCRIPTION_NAME} or {FOLDS_NAME}.",
        ) from error
    description = read_description(model.path)
    return ChosenModel(str(model), description, model.path, model.digest)


def _names() -> list[str]:
    return [*shipped_packages(), *(method.name for method in methods().values() if method.convert)]

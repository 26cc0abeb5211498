"""Registers the models that come with Maskloop; those that fit a study serve it unless a person chose another.

Decision 16.
"""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from annotation_backend.registry.model_registry import (
    CONVERTED_VERSION,
    Grounds,
    ensure_converted,
    models_folder,
    promote,
    register_package,
)
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.study_fit import fit_in
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.part_folder import part_folder, place_part
from training.model_package import DESCRIPTION_NAME, WEIGHTS_NAME, read_description, read_package
from training.pretrained.shipped import shipped_packages
from training.table.method import Method
from training.table.table import method_called, methods


def ensure_shipped_models() -> list[str]:
    """Registers all shipped models, and lets those that fit serve in every study.

    Returns:
        One line for each model that could not be registered; the others go on.
    """
    findings: list[str] = []
    registered: dict[str, Model] = {}
    makers = {method.name: partial(ensure_converted, method) for method in _converted()}
    makers |= {name: partial(_registered, package) for name, package in shipped_packages().items()}
    for name, make in makers.items():
        try:
            registered[name] = make()
        except RejectedInput as error:
            findings.append(f"{name}: {error}")
    for study in Study.objects.all():
        offer_defaults(study, registered)
    return findings


def offer_defaults(study: Study, registered: Mapping[str, Model]) -> None:
    """Lets the shipped models that fit a study serve it, where nobody chose another.

    A model whose images or label are doubtful there waits for a person's word.

    Args:
        study: The study.
        registered: The shipped models by name.
    """
    fits = {model: fit_in(model, study.protocol) for model in registered.values()}
    # What learned from the study's kind of images goes before what takes any.
    sure = sorted((model for model in fits if fits[model].is_sure), key=lambda model: not model.images)
    for label in study.protocol.prompted_labels:
        for kind in PromptKind:
            able = (model for model in sure if kind.value in method_called(model.method).serves_first)
            model = next((model for model in able if label.name in fits[model].labels), None)
            if model is not None:
                _let_serve(kind, model, study, label.name)


def registered_shipped() -> dict[str, Model]:
    """The shipped models that are registered already, by name; nothing is read but their descriptions."""
    found = {
        name: Model.objects.filter(digest=read_description(package).digest).first()
        for name, package in shipped_packages().items()
    }
    for method in _converted():
        found[method.name] = Model.objects.filter(name=method.name, version=CONVERTED_VERSION).first()
    return {name: model for name, model in found.items() if model is not None}


def _converted() -> list[Method]:
    """The methods whose shipped weights are installed."""
    return [method for method in methods().values() if method.convert]


def _registered(package: Path) -> Model:
    return register_package(_copied(package))


def _let_serve(kind: PromptKind, model: Model, study: Study, label: str) -> None:
    """Promotes a shipped model, unless it serves already or a person chose another."""
    newest = Promotion.objects.filter(study=study, prompt_kind=kind, label=label).first()
    if newest is None or (newest.is_default and newest.model_id != model.pk):
        promote(model, study=study, kinds=[kind], label=label, grounds=Grounds(is_default=True))


def _copied(package: Path) -> Path:
    """Copies a shipped package to the data folder, whole or not at all; an existing copy is kept."""
    folder = models_folder() / read_description(package).title
    if folder.exists():
        return _same(folder, package)
    # Checked before it is copied: a damaged copy would stay in the data folder after the checkout was repaired.
    read_package(package, expected_digest=read_description(package).digest)
    with part_folder(models_folder()) as part:
        for name in (DESCRIPTION_NAME, WEIGHTS_NAME):
            shutil.copyfile(package / name, part / name)
        place_part(part, folder)
    return folder


def _same(folder: Path, package: Path) -> Path:
    if read_description(folder).digest != read_description(package).digest:
        raise RejectedInput(
            "model-version-taken",
            "Another model with the name and version of a shipped model is in the data folder already.",
            remedy="Use it from its folder training/pretrained, e.g. with evaluate_model.",
        )
    return folder

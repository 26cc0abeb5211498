"""Registers packages, promotes models, and finds the model that serves."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from annotation_backend.accounts.models import User
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.prompt_services import PromptService, prompt_services
from annotation_backend.registry.signals import automatic_model_promoted, model_promoted
from annotation_backend.registry.study_fit import fit_in
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.study.image_kind import Fit
from training.model_package import DESCRIPTION_NAME, read_description, read_package
from training.table.method import Method, function_called
from training.table.table import method_called

CONVERTED_VERSION = "1"
"""Version of the packages that are converted from installed weights."""


@dataclass(frozen=True)
class Grounds:
    """Why a model is promoted; what there is of it stays with the promotion.

    Args:
        person: Who promotes it; None for a command.
        reason: In their words.
        evidence: What was known of the model and of the one before, as plain JSON values.
        is_default: True if no person chose it.
        is_back: Whether this goes back to the model that served before.
        decision: The same for what is promoted together.
    """

    person: User | None = None
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    is_default: bool = False
    is_back: bool = False
    decision: str = field(default_factory=lambda: uuid4().hex)


def models_folder() -> Path:
    """Folder of the model packages."""
    return Path(settings.DATA_FOLDER) / "models"


def register_package(folder: Path, *, snapshot_digest: str = "", study: Study | None = None) -> Model:
    """Registers a package of the data folder; the same package is registered once.

    Args:
        folder: The package.
        snapshot_digest: The snapshot that it learned from, if it is one of ours.
        study: The study of that snapshot.

    Raises:
        RejectedInput: The package is incomplete, or another package of this name and version is registered.
    """
    description = read_description(folder)
    read_package(folder, expected_digest=description.digest)
    known = Model.objects.filter(digest=description.digest).first()
    if known is not None:
        return known
    require_free(description.name, description.version)
    return Model.objects.create(
        name=description.name,
        version=description.version,
        method=description.method.name,
        digest=description.digest,
        folder=str(folder.relative_to(settings.DATA_FOLDER)),
        prompt_kinds=[kind.value for kind in description.method.answers],
        images=list(description.kinds),
        label=description.drawn_label,
        snapshot_digest=snapshot_digest,
        study=study,
    )


def require_free(name: str, version: str, *, snapshot_digest: str = "") -> None:
    """Refuses a name and version that another package is registered as.

    Args:
        name: Of a model that is to be registered.
        version: Its version.
        snapshot_digest: The snapshot that it learns from; one that learned from the same is not another.

    Raises:
        RejectedInput: ``model-version-taken``.
    """
    there = Model.objects.filter(name=name, version=version)
    if snapshot_digest:
        there = there.exclude(snapshot_digest=snapshot_digest)
    if there.exists():
        raise RejectedInput(
            "model-version-taken",
            f"Another package is registered as {name} {version}.",
            remedy="Give the new one another --name or --model-version.",
        )


def converted_package(method: Method, models: Path) -> Path:
    """The package of a method whose shipped weights are installed, converted if it does not exist yet.

    Args:
        method: One with `convert`.
        models: Folder of model packages.
    """
    folder = models / f"{method}-{CONVERTED_VERSION}"
    function_called(method.convert)(folder)
    return folder


def ensure_converted(method: Method) -> Model:
    """Registers the package of a method whose shipped weights are installed; a half one is made again."""
    folder = models_folder() / f"{method}-{CONVERTED_VERSION}"
    if not (folder / DESCRIPTION_NAME).exists():
        shutil.rmtree(folder, ignore_errors=True)
    return register_package(converted_package(method, models_folder()))


def check_promotion(
    model: Model, kinds: list[PromptKind] | None, *, study: Study, label: str | None = None
) -> list[PromptKind]:
    """The kinds of prompt that `model` would serve.

    Args:
        model: A registered model.
        kinds: The kinds of prompt to serve; None for all that it can answer, without those that its method answers
            only when asked.
        study: Where it would serve.
        label: The label that it would draw there; None for its own.

    Raises:
        RejectedInput: It cannot answer one of `kinds` (``model-prompt-kind``), the study has not the images that it
            takes (``model-images``) or the label (``model-label``), or its package is damaged.
    """
    labels_drawn(model, study, label)
    held_back = method_called(model.method).only_when_asked
    wanted = kinds or [PromptKind(kind) for kind in model.prompt_kinds if kind not in held_back]
    impossible = [kind.value for kind in wanted if kind.value not in model.prompt_kinds]
    if impossible:
        raise RejectedInput(
            "model-prompt-kind",
            f"{model} answers {', '.join(model.prompt_kinds)}, not {', '.join(impossible)}.",
            remedy="Leave --for out, or choose another model with `manage.py list_models`.",
        )
    read_package(model.path, expected_digest=model.digest)
    return wanted


def promote(
    model: Model,
    *,
    study: Study,
    kinds: list[PromptKind] | None = None,
    label: str | None = None,
    grounds: Grounds | None = None,
) -> list[Promotion]:
    """Lets `model` serve a study from now on; running services take it up within 5 s, when they have loaded it.

    Args:
        model: A registered model.
        study: Where it serves.
        kinds: The kinds of prompt to serve; those of `check_promotion` when None.
        label: The label that it draws there; None for its own.
        grounds: Why; None for no more than that it is promoted.

    Raises:
        RejectedInput: As `check_promotion`.
    """
    wanted = check_promotion(model, kinds, study=study, label=label)
    said = _as_fields(grounds or Grounds())
    with transaction.atomic():
        promotions = [
            Promotion.objects.create(study=study, model=model, prompt_kind=kind, label=name, **said)
            for name in labels_drawn(model, study, label)
            for kind in wanted
        ]
        if PromptKind.AUTOMATIC in wanted:
            automatic_model_promoted.send(sender=Model, model=model, study=study)
        model_promoted.send(sender=Model, model=model, kinds=wanted, study=study)
    return promotions


def _as_fields(grounds: Grounds) -> dict[str, Any]:
    found = {name: getattr(grounds, name) for name in ("person", "reason", "is_default", "is_back", "decision")}
    return found | {"evidence": dict(grounds.evidence)}


def labels_drawn(model: Model, study: Study, label: str | None) -> tuple[str, ...]:
    """The labels of a study that a model would draw.

    Args:
        model: A registered model.
        study: Where it would serve.
        label: A label that a person named; it counts more than what the model learned to draw. None for its own.

    Raises:
        RejectedInput: The study has not the images that the model takes (``model-images``), or prompts do not draw the
            label there (``model-label``).
    """
    found = fit_in(model, study.protocol)
    if found.fit is Fit.OTHER:
        raise RejectedInput(
            "model-images",
            f"{found.reason}.",
            remedy="Choose a model that learned from the study's images, or train one: `manage.py train_model`.",
        )
    prompted = tuple(each.name for each in study.protocol.prompted_labels)
    labels = found.labels if label is None else (label,)
    if not labels or not {*labels} <= {*prompted}:
        raise RejectedInput(
            "model-label",
            f"{found.reason}." if label is None else f"Prompts of this study do not draw {label!r}.",
            remedy=f"Say which label it draws, with --label: {', '.join(prompted) or 'the protocol names none'}.",
        )
    return labels


def first_label(study: Study) -> str:
    """The label that prompts of a study draw where none is named.

    Raises:
        RejectedInput: Its protocol lets prompts draw none (``no-prompted-label``).
    """
    prompted = study.protocol.prompted_labels
    if not prompted:
        raise RejectedInput(
            "no-prompted-label",
            "The protocol of this study lets no prompt draw a label.",
            remedy="Brush, or mark a label as prompted in the protocol.",
        )
    return prompted[0].name


def serving_model(kind: PromptKind, study: Study, label: str = "") -> Model:
    """The model that answers `kind` in a study now.

    Args:
        kind: Of the prompt.
        study: The case's.
        label: That the prompt draws; empty for the study's first.

    Raises:
        RejectedInput: None was promoted (``no-serving-model``); the message says why, where no shipped model fits.
    """
    label = label or first_label(study)
    promotion = Promotion.objects.filter(study=study, prompt_kind=kind, label=label).select_related("model").first()
    if promotion is None:
        raise no_model(kind, study, label)
    return promotion.model


def no_model(kind: PromptKind, study: Study, label: str) -> RejectedInput:
    """The refusal of a kind of prompt that no model serves, with the reason."""
    service = next(
        (each for each in prompt_services(study) if (each.kind, each.label) == (kind, label)),
        PromptService(kind, label, None, "Prompts of this study do not draw this label."),
    )
    return RejectedInput(
        "no-serving-model",
        f"No model serves {kind.label} prompts for {label}.",
        remedy=f"Use another kind of prompt, or brush. {service.note}",
    )


def find_model(name: str) -> Model:
    """The model written as ``name-version``.

    Raises:
        RejectedInput: There is none.
    """
    for model in Model.objects.all():
        if str(model) == name:
            return model
    raise RejectedInput(
        "model-unknown", f"No model is called {name!r}.", remedy="`manage.py list_models` shows the names."
    )

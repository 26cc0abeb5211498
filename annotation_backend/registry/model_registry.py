"""Registers packages, promotes models, and finds the model that serves."""

import shutil
from pathlib import Path

from django.conf import settings
from django.db import transaction

from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.signals import automatic_model_promoted, model_promoted
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from training.model_package import Method, read_description, read_package

METHOD_PROMPTS = {
    Method.LITE_MEDSAM: [PromptKind.BOX, PromptKind.POINT, PromptKind.AUTOMATIC],
    Method.MEDSAM_VIT: [PromptKind.BOX],
    Method.UNET_25D: [PromptKind.AUTOMATIC],
    Method.SIX_POINTS: [PromptKind.EXTREME_POINTS],
    Method.CLICKS_2D: [PromptKind.POINT],
    Method.CLICKS_3D: [PromptKind.POINT],
    Method.DEEPEDIT: [PromptKind.POINT, PromptKind.AUTOMATIC],
    Method.TWO_STAGE: [PromptKind.POINT, PromptKind.AUTOMATIC],
}
"""The kinds of prompt that each method answers."""

ONLY_WHEN_ASKED = {
    Method.DEEPEDIT: [PromptKind.AUTOMATIC],
    Method.TWO_STAGE: [PromptKind.AUTOMATIC],
}
"""Kinds of prompt that a promotion leaves out unless a person names them: these models learned from images cut around
a tumour, and draw one even if there is none."""


def models_folder() -> Path:
    """Folder of the model packages."""
    return Path(settings.DATA_FOLDER) / "models"


def register_package(folder: Path, *, snapshot_digest: str = "") -> Model:
    """Registers a package of the data folder; the same package is registered once.

    Raises:
        RejectedInput: The package is incomplete, or another package of this name and version is registered.
    """
    description = read_description(folder)
    read_package(folder, expected_digest=description.digest)
    known = Model.objects.filter(digest=description.digest).first()
    if known is not None:
        return known
    if Model.objects.filter(name=description.name, version=description.version).exists():
        raise RejectedInput(
            "model-version-taken",
            f"Another package is registered as {description.name} {description.version}.",
            remedy="Give the new package another version.",
        )
    return Model.objects.create(
        name=description.name,
        version=description.version,
        method=description.method.value,
        digest=description.digest,
        folder=str(folder.relative_to(settings.DATA_FOLDER)),
        prompt_kinds=[str(kind.value) for kind in METHOD_PROMPTS[description.method]],
        snapshot_digest=snapshot_digest,
    )


def ensure_lite_medsam() -> Model:
    """Registers LiteMedSAM's package, converted from its published weights if it does not exist yet."""
    from training.pretrained.lite_medsam import convert_lite_medsam

    folder = models_folder() / "lite-medsam-1"
    if not (folder / "model.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        convert_lite_medsam(folder)
    return register_package(folder)


def check_promotion(model: Model, kinds: list[PromptKind] | None) -> list[PromptKind]:
    """The kinds of prompt that `model` would serve.

    Args:
        model: A registered model.
        kinds: The kinds of prompt to serve; None for all that it can answer, without those of `ONLY_WHEN_ASKED`.

    Raises:
        RejectedInput: It cannot answer one of `kinds`, or its package is damaged.
    """
    held_back = ONLY_WHEN_ASKED.get(Method(model.method), [])
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
    model: Model, *, study: Study, kinds: list[PromptKind] | None = None, is_default: bool = False
) -> list[Promotion]:
    """Lets `model` serve a study from now on; running services take it up within 5 s, when they have loaded it.

    Args:
        model: A registered model.
        study: The study.
        kinds: The kinds of prompt to serve; those of `check_promotion` when None.
        is_default: True if no person chose it.

    Raises:
        RejectedInput: It cannot answer one of `kinds`, or its package is damaged.
    """
    wanted = check_promotion(model, kinds)
    with transaction.atomic():
        promotions = [
            Promotion.objects.create(study=study, model=model, prompt_kind=kind, is_default=is_default)
            for kind in wanted
        ]
        if PromptKind.AUTOMATIC in wanted:
            automatic_model_promoted.send(sender=Model, model=model, study=study)
        model_promoted.send(sender=Model, model=model, kinds=wanted, study=study)
    return promotions


def serving_model(kind: PromptKind, study: Study) -> Model:
    """The model that answers `kind` in a study now.

    Raises:
        RejectedInput: None was promoted.
    """
    promotion = Promotion.objects.filter(study=study, prompt_kind=kind).select_related("model").first()
    if promotion is None:
        raise RejectedInput(
            "no-serving-model",
            f"No model serves {kind.label} prompts.",
            remedy="See `manage.py list_models` and promote one with `manage.py promote_model`.",
        )
    return promotion.model


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

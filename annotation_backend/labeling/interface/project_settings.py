"""A project's settings: how annotators draw masks, whether oedema too, which model answers which prompt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from annotation_backend.accounts.models import User
from annotation_backend.inference.serving.serving import model_for
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.labeling.models import LabelingProject, SettingsChange
from annotation_backend.registry.model_registry import check_promotion, find_model
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput


@dataclass(frozen=True)
class ProjectSettings:
    """A project's settings.

    Args:
        mask_format: The format that annotators draw and predictions are written in; both formats are always read.
        has_oedema: Whether annotators draw oedema as well.
        prompt_models: Kind of prompt to the ``name-version`` of the model that answers it in this project. Another
            kind is answered by the promoted model.
    """

    mask_format: MaskFormat = MaskFormat.BRUSH
    has_oedema: bool = False
    prompt_models: Mapping[PromptKind, str] = field(default_factory=lambda: MappingProxyType({}))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "mask_format": self.mask_format.value,
            "has_oedema": self.has_oedema,
            "prompt_models": {kind.value: name for kind, name in self.prompt_models.items()},
        }


def project_settings(project: LabelingProject) -> ProjectSettings:
    """The settings that hold now, by one query; the defaults where nobody ever chose."""
    return _read(SettingsChange.objects.filter(project=project).first())


def last_settings(study: Study) -> ProjectSettings:
    """The last settings of any project of a study: a new one starts with them where the old one was deleted."""
    return _read(SettingsChange.objects.filter(project__study=study).first())


def _read(row: SettingsChange | None) -> ProjectSettings:
    if row is None:
        return ProjectSettings()
    known = set(PromptKind.values)
    models = {PromptKind(kind): str(name) for kind, name in row.prompt_models.items() if kind in known}
    return ProjectSettings(MaskFormat(row.mask_format), row.has_oedema, MappingProxyType(models))


def answering_model(project: LabelingProject, kind: PromptKind) -> Model:
    """The model that answers `kind` in a project now: the one its settings name, else the promoted one.

    Raises:
        RejectedInput: There is none, or no promoted one can be loaded.
    """
    name = project_settings(project).prompt_models.get(kind)
    return model_for(kind, project.study) if name is None else find_model(name)


def check_settings(settings: ProjectSettings) -> None:
    """Refuses settings that cannot work.

    Raises:
        RejectedInput: No model has the name (``model-unknown``), it cannot answer that kind of prompt
            (``model-prompt-kind``), or its package is damaged.
    """
    for kind, name in settings.prompt_models.items():
        check_promotion(find_model(name), [kind])


def settings_from(
    current: ProjectSettings,
    *,
    mask_format: str | None = None,
    has_oedema: bool | None = None,
    prompt_models: Mapping[str, str | None] | None = None,
) -> ProjectSettings:
    """`current` with changes in the words of a form or a command.

    Args:
        current: Settings that stay where nothing else is given.
        mask_format: ``brush`` or ``bitmask``.
        has_oedema: Whether annotators draw oedema.
        prompt_models: Kind of prompt to a model's ``name-version``, or to None for the promoted model.

    Raises:
        RejectedInput: An unknown format (``mask-format``) or kind of prompt (``prompt-kind``).
    """
    chosen = dict(current.prompt_models)
    for word, name in (prompt_models or {}).items():
        kind = _kind(word)
        if name:
            chosen[kind] = name
        else:
            chosen.pop(kind, None)
    return ProjectSettings(
        current.mask_format if mask_format is None else _format(mask_format),
        current.has_oedema if has_oedema is None else has_oedema,
        MappingProxyType(chosen),
    )


def keep_settings(project: LabelingProject, settings: ProjectSettings, *, person: User | None) -> None:
    """Writes settings down; they count from the next request on."""
    SettingsChange.objects.create(project=project, person=person, **settings.as_dict())


def _kind(word: str) -> PromptKind:
    if word not in PromptKind.values:
        raise RejectedInput(
            "prompt-kind",
            "This kind of prompt is not known here.",
            remedy=f"Use one of {', '.join(PromptKind.values)}.",
        )
    return PromptKind(word)


def _format(word: str) -> MaskFormat:
    try:
        return MaskFormat(word)
    except ValueError as error:
        raise RejectedInput(
            "mask-format",
            "This format of masks is not known here.",
            remedy=f"Use {' or '.join(one.value for one in MaskFormat)}.",
        ) from error

"""A project's settings: how annotators draw masks, which labels they are offered, which model answers which prompt."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from annotation_backend.accounts.models import User
from annotation_backend.inference.serving.serving import model_for
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.labeling.models import LabelingProject, SettingsChange
from annotation_backend.registry.model_registry import check_promotion, find_model, first_label
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.registry.study_fit import fit_in
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.study.protocol import Label, Protocol


@dataclass(frozen=True)
class ProjectSettings:
    """A project's settings.

    Args:
        mask_format: The format that annotators draw and predictions are written in; both formats are always read.
        labels: Label to whether annotators are offered it, where that was chosen; else the protocol says.
        prompt_models: Kind of prompt to the ``name-version`` of the model that answers it in this project. Another
            kind is answered by the promoted model.
    """

    mask_format: MaskFormat = MaskFormat.BRUSH
    labels: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    prompt_models: Mapping[PromptKind, str] = field(default_factory=lambda: MappingProxyType({}))

    def hidden_labels(self, protocol: Protocol) -> frozenset[str]:
        """Names of the protocol's labels that annotators are not offered."""
        return frozenset(
            label.name for label in switchable(protocol) if not self.labels.get(label.name, label.is_offered)
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "mask_format": self.mask_format.value,
            "labels": dict(self.labels),
            "prompt_models": {kind.value: name for kind, name in self.prompt_models.items()},
        }


def switchable(protocol: Protocol) -> tuple[Label, ...]:
    """The labels that a project may leave out: those that no prompt draws, beside the first."""
    return tuple(label for label in protocol.labels[1:] if not label.is_prompted)


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
    labels = MappingProxyType({str(name): bool(is_offered) for name, is_offered in row.labels.items()})
    return ProjectSettings(MaskFormat(row.mask_format), labels, MappingProxyType(models))


def answering_model(project: LabelingProject, kind: PromptKind, label: str = "") -> Model:
    """The model that answers `kind` in a project now: the one its settings name, else the promoted one.

    Args:
        project: A study's project.
        kind: Of the prompt.
        label: That the prompt draws; empty for the study's first.

    Raises:
        RejectedInput: There is none, or no promoted one can be loaded.
    """
    name = project_settings(project).prompt_models.get(kind)
    if name is None:
        return model_for(kind, project.study, label)
    model = find_model(name)
    if (label or first_label(project.study)) not in fit_in(model, project.study.protocol).labels:
        return model_for(kind, project.study, label)  # the settings' model draws another label
    return model


def check_settings(settings: ProjectSettings, study: Study) -> None:
    """Refuses settings that cannot work.

    Raises:
        RejectedInput: No model has the name (``model-unknown``), it cannot answer that kind of prompt
            (``model-prompt-kind``), the study has not its images or its label (``model-images``, ``model-label``), or
            its package is damaged.
    """
    for kind, name in settings.prompt_models.items():
        check_promotion(find_model(name), [kind], study=study)


def settings_from(
    current: ProjectSettings,
    protocol: Protocol,
    *,
    mask_format: str | None = None,
    labels: Mapping[str, bool] | None = None,
    prompt_models: Mapping[str, str | None] | None = None,
) -> ProjectSettings:
    """`current` with changes in the words of a form or a command.

    Args:
        current: Settings that stay where nothing else is given.
        protocol: Whose labels annotators draw.
        mask_format: ``brush`` or ``bitmask``.
        labels: Label to whether annotators are offered it.
        prompt_models: Kind of prompt to a model's ``name-version``, or to None for the promoted model.

    Raises:
        RejectedInput: An unknown format (``mask-format``) or kind of prompt (``prompt-kind``), or a label that the
            protocol does not have, or that is always offered (``label-choice``).
    """
    check_labels(labels or (), protocol)
    chosen = dict(current.prompt_models)
    for word, name in (prompt_models or {}).items():
        kind = _kind(word)
        if name:
            chosen[kind] = name
        else:
            chosen.pop(kind, None)
    return ProjectSettings(
        current.mask_format if mask_format is None else _format(mask_format),
        _labels({**current.labels, **(labels or {})}, protocol),
        MappingProxyType(chosen),
    )


def keep_settings(project: LabelingProject, settings: ProjectSettings, *, person: User | None) -> None:
    """Writes settings down; they count from the next request on."""
    SettingsChange.objects.create(project=project, person=person, **settings.as_dict())


def _labels(chosen: Mapping[str, bool], protocol: Protocol) -> Mapping[str, bool]:
    """The choices that differ from what the protocol says; a label that it has no more is dropped."""
    offered = {label.name: label.is_offered for label in switchable(protocol)}
    return MappingProxyType(
        {name: chosen[name] for name in offered if chosen.get(name, offered[name]) != offered[name]}
    )


def check_labels(names: Iterable[str], protocol: Protocol) -> None:
    """Refuses names of labels that cannot be switched (``label-choice``).

    Raises:
        RejectedInput: The protocol has no such label, or it is always offered.
    """
    able = [label.name for label in switchable(protocol)]
    if not set(names) <= set(able):
        raise RejectedInput(
            "label-choice",
            "Not a label of the protocol that can be left out: the first one and those that prompts draw are offered "
            "always.",
            remedy=f"Name one of {', '.join(able)}." if able else "The protocol has no label that can be left out.",
        )


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

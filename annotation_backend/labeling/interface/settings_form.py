"""The form of a project's settings."""

from typing import Any

from django import forms

from annotation_backend.labeling.interface.project_settings import ProjectSettings, settings_from, switchable
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.registry.models import PromptKind
from annotation_backend.registry.prompt_services import models_for
from annotation_backend.studies.models import Study
from datasets.study.protocol import Label

_FORMATS = [(MaskFormat.BRUSH.value, "Brush"), (MaskFormat.BITMASK.value, "Bitmask")]


class SettingsForm(forms.Form):
    """All settings; one list of models for each kind of prompt."""

    mask_format = forms.ChoiceField(choices=_FORMATS, label="Annotators draw with")

    def __init__(self, current: ProjectSettings, study: Study, *args: Any, **kwargs: Any) -> None:
        protocol = study.protocol
        hidden = current.hidden_labels(protocol)
        initial: dict[str, Any] = {"mask_format": current.mask_format.value}
        initial |= {_label_field(label): label.name not in hidden for label in switchable(protocol)}
        initial |= {_field(kind): name for kind, name in current.prompt_models.items()}
        super().__init__(*args, **{"initial": initial, **kwargs})
        self._current, self._protocol = current, protocol
        for each in switchable(protocol):
            words = f"Annotators draw {each.name.lower()} as well"
            self.fields[_label_field(each)] = forms.BooleanField(required=False, label=words)
        for kind in PromptKind:
            able = [str(model) for model in models_for(study) if kind.value in model.prompt_kinds]
            choices = [("", "the promoted model"), *((name, name) for name in able)]
            words = f"Model for {kind.label} prompts" if kind is not PromptKind.AUTOMATIC else "Model that draws first"
            self.fields[_field(kind)] = forms.ChoiceField(choices=choices, required=False, label=words)

    def chosen(self) -> ProjectSettings:
        """The settings that the form asks for, once it is valid."""
        words = self.cleaned_data
        return settings_from(
            self._current,
            self._protocol,
            mask_format=words["mask_format"],
            labels={label.name: words[_label_field(label)] for label in switchable(self._protocol)},
            prompt_models={kind.value: words[_field(kind)] or None for kind in PromptKind},
        )


def _label_field(label: Label) -> str:
    return f"label_{label.value}"


def _field(kind: PromptKind) -> str:
    return f"model_{kind.value.replace('-', '_')}"

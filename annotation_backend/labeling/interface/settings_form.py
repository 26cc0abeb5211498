"""The form of a project's settings."""

from collections.abc import Iterable
from typing import Any

from django import forms

from annotation_backend.labeling.interface.project_settings import ProjectSettings, settings_from
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.registry.models import Model, PromptKind

_FORMATS = [(MaskFormat.BRUSH.value, "Brush"), (MaskFormat.BITMASK.value, "Bitmask")]


class SettingsForm(forms.Form):
    """All settings; one list of models for each kind of prompt."""

    mask_format = forms.ChoiceField(choices=_FORMATS, label="Annotators draw with")
    has_oedema = forms.BooleanField(required=False, label="Annotators draw oedema as well")

    def __init__(self, current: ProjectSettings, models: Iterable[Model], *args: Any, **kwargs: Any) -> None:
        initial = {"mask_format": current.mask_format.value, "has_oedema": current.has_oedema}
        initial |= {_field(kind): name for kind, name in current.prompt_models.items()}
        super().__init__(*args, **{"initial": initial, **kwargs})
        self._current = current
        offered = list(models)
        for kind in PromptKind:
            able = [str(model) for model in offered if kind.value in model.prompt_kinds]
            choices = [("", "the promoted model"), *((name, name) for name in able)]
            label = f"Model for {kind.label} prompts" if kind is not PromptKind.AUTOMATIC else "Model that draws first"
            self.fields[_field(kind)] = forms.ChoiceField(choices=choices, required=False, label=label)

    def chosen(self) -> ProjectSettings:
        """The settings that the form asks for, once it is valid."""
        words = self.cleaned_data
        return settings_from(
            self._current,
            mask_format=words["mask_format"],
            has_oedema=words["has_oedema"],
            prompt_models={kind.value: words[_field(kind)] or None for kind in PromptKind},
        )


def _field(kind: PromptKind) -> str:
    return f"model_{kind.value.replace('-', '_')}"

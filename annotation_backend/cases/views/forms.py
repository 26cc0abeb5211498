"""Forms of a case's registration and of a patient's series."""

from typing import Any

from django import forms

from annotation_backend.cases.models import VerdictOfRegistration
from annotation_backend.cases.registration.register import MOTIONS, PRESETS
from datasets.study.protocol import Protocol

_NO_NAMES = "without names or dates"


class RegistrationVerdictForm(forms.Form):
    """A person's verdict on the registration that was shown."""

    record_sha256 = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)
    verdict = forms.ChoiceField(choices=VerdictOfRegistration.choices)
    comment = forms.CharField(required=False, max_length=400, label=f"Comment ({_NO_NAMES})")


class RedoForm(forms.Form):
    """Register again with other settings."""

    role = forms.SlugField(required=False, max_length=16, widget=forms.HiddenInput)
    preset = forms.ChoiceField(choices=[(name, name) for name in PRESETS])
    motion = forms.ChoiceField(choices=[(name, name) for name in MOTIONS], initial="affine")


class ExclusionForm(forms.Form):
    """Leave the case out."""

    reason = forms.CharField(max_length=200, label=f"Reason ({_NO_NAMES})")


class SeriesForm(forms.Form):
    """The choice of the series that are a patient's images."""

    reason = forms.CharField(required=False, max_length=200, label=f"Why ({_NO_NAMES})")

    def __init__(self, references: list[str], protocol: Protocol, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._roles = protocol.roles
        for role in self._roles:
            self.fields[role] = forms.ChoiceField(
                choices=[(reference, reference) for reference in references], required=False
            )

    def chosen(self) -> dict[str, str]:
        """Role to reference, for each role that was chosen."""
        said = {role: self.cleaned_data[role] for role in self._roles}
        return {role: reference for role, reference in said.items() if reference}

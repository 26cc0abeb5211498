"""The form of a study's retraining."""

from typing import Any

from django import forms

from annotation_backend.learning.retraining.rules import (
    MOST_CASES,
    MOST_DAYS,
    MOST_FOLDS,
    RetrainingRules,
)
from training.table.table import trainable_methods


class RetrainingForm(forms.Form):
    """When the study trains again, and how; an empty number turns that off."""

    after_cases = forms.IntegerField(
        label="After so many new approved cases", required=False, min_value=1, max_value=MOST_CASES
    )
    every_days = forms.IntegerField(
        label="When the last training is so many days old", required=False, min_value=1, max_value=MOST_DAYS
    )
    by_button = forms.BooleanField(label="By Label Studio’s button Start Training", required=False)
    method = forms.ChoiceField(label="Method")
    folds = forms.IntegerField(
        label="Folds (0: one model of all cases, without figures)", min_value=0, max_value=MOST_FOLDS
    )
    iterations = forms.IntegerField(
        label="Iterations (empty: the method’s own number)", required=False, min_value=1, max_value=10_000_000
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["method"].choices = [(method.name, method.name) for method in trainable_methods()]  # type: ignore[attr-defined]

    @staticmethod
    def values_of(rules: RetrainingRules) -> dict[str, Any]:
        """The settings in force, as the form shows them."""
        return {name: getattr(rules, name) for name in rules.__dataclass_fields__}

    def rules(self) -> RetrainingRules:
        """The settings that were asked for, after `is_valid`.

        Raises:
            RejectedInput: A number is out of range (``retraining-settings``).
        """
        return RetrainingRules(**self.cleaned_data)

"""The form of a study's retraining."""

from typing import Any

from django import forms

from annotation_backend.learning.retraining.rules import (
    MOST_CASES,
    MOST_DAYS,
    MOST_FOLDS,
    RetrainingRules,
)
from datasets.study.splits.external import (
    MOST_BYTES,
    ExternalCohort,
    external_cohort,
    read_external,
    shipped_cohorts,
)
from training.table.table import trainable_methods

_BOUND = "as now"
"""The choice of the external cohort that is in force."""


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

    external = forms.ChoiceField(label="External cohort, which no training of the study reads", required=False)
    document = forms.FileField(
        label="Or another one, a document of freeze_external", required=False, max_length=200, allow_empty_file=True
    )

    def __init__(self, *args: Any, bound: ExternalCohort | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bound = bound
        own = [(_BOUND, bound.name)] if bound is not None else []
        self.fields["external"].choices = [("", "none"), *own, *((name, name) for name in shipped_cohorts())]  # type: ignore[attr-defined]
        self.fields["method"].choices = [(method.name, method.name) for method in trainable_methods()]  # type: ignore[attr-defined]

    @staticmethod
    def values_of(rules: RetrainingRules) -> dict[str, Any]:
        """The settings in force, as the form shows them."""
        found = {name: getattr(rules, name) for name in rules.__dataclass_fields__}
        return found | {"external": "" if rules.external is None else _BOUND}

    def rules(self) -> RetrainingRules:
        """The settings that were asked for, after `is_valid`.

        Raises:
            RejectedInput: A number is out of range (``retraining-settings``), or the document is none of an external
                cohort (``external-cohort``, ``external-changed``).
        """
        values = dict(self.cleaned_data)
        document, chosen = values.pop("document"), values.pop("external")
        external: ExternalCohort | None
        if document is not None:
            external = read_external(document.read(MOST_BYTES + 1))
        else:
            external = self._bound if chosen == _BOUND else external_cohort(chosen) if chosen else None
        return RetrainingRules(**values, external=external)

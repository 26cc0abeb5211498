"""The audit log's filter, as it stands in an address."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from annotation_backend.audit.log import Asked, Place
from annotation_backend.audit.sources import KINDS
from annotation_backend.cases.models import Case
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import names_in
from datasets.errors import RejectedInput

_DAY = forms.DateInput(attrs={"type": "date"})


class AuditForm(forms.Form):
    """Which entries of a study's log are asked for.

    Args:
        study: The study.
        values: The query of the address.
    """

    person = forms.TypedChoiceField(label="Person", required=False, coerce=int, empty_value=None)
    case = forms.CharField(label="Case", required=False, max_length=60)
    kind = forms.ChoiceField(label="What", required=False)
    since = forms.DateField(label="From", required=False, widget=_DAY)
    until = forms.DateField(label="To", required=False, widget=_DAY)
    before = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)

    def __init__(self, study: Study, values: Any) -> None:
        super().__init__(values)
        self._study = study
        people = sorted(names_in(study).items(), key=lambda one: one[1])
        self.fields["person"].choices = [("", "Everybody"), *people]  # type: ignore[attr-defined]
        self.fields["kind"].choices = [("", "All but signs of work on open pages"), *KINDS.items()]  # type: ignore[attr-defined]

    def clean_case(self) -> int | None:
        """The case's key."""
        code = self.cleaned_data["case"].strip()
        if not code:
            return None
        key = Case.objects.filter(study=self._study, code__iexact=code).values_list("pk", flat=True).first()
        if key is None:
            raise ValidationError("No case of this study has this code.")
        return key

    def clean_before(self) -> Place | None:
        """The place after which the portion begins."""
        text = self.cleaned_data["before"]
        try:
            return Place.read(text) if text else None
        except RejectedInput as error:
            raise ValidationError(f"{error.message} {error.remedy}") from error

    def asked(self) -> Asked:
        """What is asked for; the whole log, where the form is not filled well."""
        values = self.cleaned_data if self.is_valid() else {}
        since, until = values.get("since"), values.get("until")
        return Asked(
            self._study,
            person=values.get("person"),
            case=values.get("case"),
            kind=values.get("kind", ""),
            since=datetime.combine(since, time(), UTC) if since else None,
            until=datetime.combine(until, time(), UTC) + timedelta(days=1) if until else None,
            before=values.get("before"),
        )

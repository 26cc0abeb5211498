"""Forms of errata and withdrawals; what they hold is checked as a document by hand is."""

import re
from typing import Any

from django import forms

from annotation_backend.publishing.models import Release
from datasets.errors import RejectedInput
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.correcting.erratum_report import (
    MOST_TEXT,
    PART_WORDS,
    ErratumReport,
    FaultyPart,
    checked_slices,
    checked_text,
)

NO_NAMES = "everybody may read it later: no names, no dates"

_RUN = re.compile(r"(\d{1,5})(?:\s*[-–]\s*(\d{1,5}))?")


def _text(label: str, *, required: bool = True) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": 3, "maxlength": MOST_TEXT})
    return forms.CharField(label=label, max_length=4 * MOST_TEXT, required=required, widget=area)


class ErratumForm(forms.Form):
    """A fault of a case of a release."""

    case = forms.ChoiceField(label="Case")
    part = forms.ChoiceField(label="What is wrong", choices=list(PART_WORDS.items()), widget=forms.RadioSelect)
    label = forms.ChoiceField(label="Label, if one is meant", required=False)
    slices = forms.CharField(label="Slices, such as 12, 15–17; none for the whole case", required=False, max_length=200)
    text = _text(f"In your words ({NO_NAMES})")

    def __init__(self, release: Release, opened: OpenedRelease, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self._release, self._digest = release, opened.manifest.release_digest
        codes = sorted(case.case for case in opened.manifest.cases)
        self.fields["case"].choices = [("", "Choose a case"), *((code, code) for code in codes)]  # type: ignore[attr-defined]
        labels = [name for _, name in sorted(opened.labels.items())]
        self.fields["label"].choices = [("", "None in particular"), *((name, name) for name in labels)]  # type: ignore[attr-defined]

    def clean_slices(self) -> tuple[int, ...]:
        """The slices by their indices."""
        return _checked(lambda: indices_of(self.cleaned_data["slices"]))

    def clean_text(self) -> str:
        """The text in one line."""
        return _checked(lambda: checked_text(" ".join(self.cleaned_data["text"].split())))

    def report(self) -> ErratumReport:
        """What was filled in, about the release of the page."""
        said = self.cleaned_data
        return ErratumReport(
            self._release.name,
            self._release.version,
            self._digest,
            said["case"],
            FaultyPart(said["part"]),
            said["text"],
            label=said["label"],
            slices=said["slices"],
        )


class DecisionForm(forms.Form):
    """What becomes of an erratum."""

    words = _text(f"What is wrong, or why it is not ({NO_NAMES})")

    def clean_words(self) -> str:
        """The words in one line."""
        return _checked(lambda: checked_text(" ".join(self.cleaned_data["words"].split())))


class WithdrawalForm(forms.Form):
    """Who is withdrawn, and why."""

    patient = forms.CharField(label="Patient’s code", max_length=60)
    reason = forms.CharField(label="Reason, for data managers of the study (no names, no dates)", max_length=200)
    is_meant = forms.BooleanField(label="This is for good: nobody can take it back.")


def indices_of(text: str) -> tuple[int, ...]:
    """The slices of a text such as ``12, 15–17``.

    Raises:
        RejectedInput: It is something else (``erratum-slices``).
    """
    found: list[int] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        run = _RUN.fullmatch(part)
        if run is None:
            message = "The slices are no list of numbers and runs such as 12, 15–17."
            raise RejectedInput("erratum-slices", message, remedy="Write numbers with commas between them.")
        found += range(int(run[1]), int(run[2] or run[1]) + 1)
    return checked_slices(found[: 1 << 16])


def _checked(read: Any) -> Any:
    try:
        return read()
    except RejectedInput as error:
        raise forms.ValidationError(f"{error.message} {error.remedy}") from error

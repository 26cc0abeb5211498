"""Forms of work: an order, a bulk action, a verdict on several cases."""

from django import forms

from annotation_backend.accounts.models import User
from annotation_backend.review.models import Verdict
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import people_in
from annotation_backend.work.bulk import MOST_TOGETHER
from annotation_backend.work.taking.orders import Order
from annotation_backend.work.verdicts import BulkVerdict
from datasets.study.case import QUALITY_MEANINGS, QualityScore

LARGEST_KEY = 2**63 - 1


class BulkForm(forms.Form):
    """Stages that were ticked, what becomes of them, and for whom."""

    GIVE, TAKE, RANDOM, LOAD, BACK = "give", "take", "random", "load", "back"
    action = forms.ChoiceField(
        choices=[
            (GIVE, "Give what is free to this person"),
            (TAKE, "Give to this person, also what others have"),
            (RANDOM, "Spread at random, balanced"),
            (LOAD, "Spread to whoever has the least to do"),
            (BACK, "Give back what people have"),
        ]
    )
    person = forms.ModelChoiceField(queryset=User.objects.none(), required=False, empty_label="a person")

    def __init__(self, *values: object, study: Study, **options: object) -> None:
        super().__init__(*values, **options)  # type: ignore[arg-type]
        people = people_in(study).filter(is_active=True).order_by("pk")
        self.fields["person"].queryset = people  # type: ignore[attr-defined]

    def clean(self) -> dict[str, object]:
        """A person, where one is meant."""
        values = super().clean() or {}
        if values.get("action") in (self.GIVE, self.TAKE) and not values.get("person"):
            self.add_error("person", "Choose whom to give it to.")
        return values

    def keys(self) -> list[int]:
        """The keys of the ticked rows; what is none is left out."""
        given = self.data.getlist("row")[: MOST_TOGETHER + 1]  # type: ignore[attr-defined]
        return [key for one in given if (key := whole(one)) is not None]


class BulkVerdictForm(forms.Form):
    """One verdict for several cases."""

    quality_score = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[
            (score.value, f"{score.value.replace('_', ' ').capitalize()}: {meaning}")
            for score, meaning in QUALITY_MEANINGS.items()
        ],
    )
    comment = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3}))
    accepts_unannotated = forms.BooleanField(required=False)
    verdict = forms.ChoiceField(choices=[(one.value, one.label) for one in (Verdict.APPROVE, Verdict.RETURN)])

    def said(self) -> BulkVerdict:
        """The verdict."""
        values = self.cleaned_data
        return BulkVerdict(
            Verdict(values["verdict"]),
            QualityScore(values["quality_score"]),
            values["comment"],
            values["accepts_unannotated"],
        )


def order_of(text: str) -> Order:
    """The order that a word names; by patient for any other word."""
    return Order(text) if text in Order.values else Order.PATIENT


def whole(text: object) -> int | None:
    """A key; None for what cannot be one."""
    word = str(text)
    if not (word.isascii() and word.isdigit()) or len(word) > len(str(LARGEST_KEY)):
        return None
    return int(word) if int(word) <= LARGEST_KEY else None

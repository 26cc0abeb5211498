"""The form in which a radiologist gives a verdict on a mask."""

from django import forms

from annotation_backend.review.models import Verdict
from datasets.study.case import QUALITY_MEANINGS, QualityScore


class VerdictForm(forms.Form):
    """Approve or return, with a quality score and a comment."""

    mask = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31)
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    quality_score = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[
            (score.value, f"{score.value.replace('_', ' ').capitalize()}: {meaning}")
            for score, meaning in QUALITY_MEANINGS.items()
        ],
    )
    comment = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3}))
    accepts_unannotated = forms.BooleanField(required=False)
    verdict = forms.ChoiceField(choices=Verdict.choices)

    def score(self) -> QualityScore:
        """The chosen quality score."""
        return QualityScore(self.cleaned_data["quality_score"])

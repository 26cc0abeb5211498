"""The form in which a radiologist gives a verdict on a mask, and in what words its page says where one leads."""

from django import forms

from annotation_backend.cases.models import Case
from annotation_backend.review.models import Review, Verdict
from datasets.study.case import QUALITY_MEANINGS, QualityScore
from datasets.study.stage import Stage


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


def where_verdicts_lead(case: Case, stage: Stage | None) -> dict[str, object]:
    """The open review stage, where it returns a case, and which scores send it down and whither."""
    titles = {one.name: one.title for one in case.protocol.steps}
    return {
        "stage": stage,
        "back_to": titles.get(stage.returns_to, "") if stage else "",
        "down_to": titles.get(stage.goes_down_to, "") if stage else "",
        "down_on": ", ".join(score.value.replace("_", " ") for score in stage.goes_down_on).capitalize()
        if stage
        else "",
    }


def outcome_of(review: Review) -> str:
    """What a verdict did with its case, such as ``was returned to Adjacent slices``."""
    stage = review.row.rules if review.row else None
    titles = {one.name: one.title for one in review.mask.case.protocol.steps}
    if review.verdict == Verdict.APPROVE:
        return "is approved"
    if review.verdict == Verdict.DOWN:
        return f"went down to {titles.get(stage.goes_down_to if stage else '', 'the stage below')}, to be drawn afresh"
    return f"was returned to {titles.get(stage.returns_to if stage else '', 'the annotator')}"

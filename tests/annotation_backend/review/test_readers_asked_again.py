"""A stage of several reviewers whose mask changes before all have said theirs: each is asked again, none is lost."""

import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.models import Review, VerdictEnd, approved_review
from annotation_backend.review.verdict_stages import open_review
from annotation_backend.stages.flow import follow
from annotation_backend.stages.models import Assignment
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from tests.annotation_backend.support.records import approve, member, saved

pytestmark = pytest.mark.django_db

BY_LOT = """
[[stages]]
name = "annotate"
title = "Drawing"
does = "draw"
done_by = "annotator"
unit = "slice"

[[stages]]
name = "review"
title = "Review"
does = "review"
done_by = "radiologist"
readers = 3
blind = true
assignment = "random"
after = ["annotate"]
returns_to = "annotate"
"""


@pytest.fixture
def by_lot(mask: CaseMask, study: Study) -> CaseMask:
    """The mask, in a study in which three radiologists are drawn by lot and give their verdicts apart."""
    Study.objects.filter(pk=study.pk).update(document=study.document.split("[[stages]]")[0] + BY_LOT)
    for number in (1, 2):
        member(f"more{number}@hospital.org", Role.RADIOLOGIST, label_studio_id=30 + number)
    return CaseMask.objects.select_related("case__study").get(pk=mask.pk)


def test_a_save_between_the_verdicts_has_all_who_gave_one_asked_again(by_lot: CaseMask) -> None:
    case = by_lot.case
    follow(case, standing_of(case).drawn)
    row = open_review(case)
    assert row is not None
    first, second, third = [one.person for one in Assignment.objects.filter(row=row).order_by("pk")]
    for person in (first, second):
        approve(by_lot, person)
    with pytest.raises(RejectedInput, match="already-decided"):
        approve(by_lot, first)
    saved(LabelingTask.objects.get(slice_index=3), identifier=8)
    assert VerdictEnd.objects.count() == 2, "of each of them, not of the newest alone"
    now = assemble(case)
    assert now is not None
    for person in (third, second, first):
        assert approved_review(case) is None
        approve(now, person)
    review = approved_review(case)
    assert (review is not None, Review.objects.count()) == (True, 5)

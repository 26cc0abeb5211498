"""Cases of a release by query: what is asked is refused or left out by name."""

import pytest

from annotation_backend.cases.exclusion import exclude
from annotation_backend.publishing.contents.selection import CaseSelection, select
from annotation_backend.review.models import Review
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.study.case import Consent, QualityScore
from tests.annotation_backend.publishing.conftest import Approved, case_of
from tests.annotation_backend.support.records import registered_case

pytestmark = pytest.mark.django_db


def _codes(study: Study, **asked: object) -> list[str]:
    return [review.mask.case.code for review in select(study, CaseSelection(**asked)).reviews]


@pytest.fixture
def three(two: list[Review], approved: Approved) -> list[Review]:
    """Two cases of nerve and fat, and one of nerve whose mask is merely sufficient."""
    return [*two, approved("C0003", quality_score=QualityScore.SUFFICIENT)]


def test_all_approved_cases_go_in_and_each_question_leaves_fewer(study: Study, three: list[Review]) -> None:
    registered_case("C0004")
    assert _codes(study) == ["C0001", "C0002", "C0003"]
    assert _codes(study, tissue_types=("nerve",)) == ["C0001", "C0003"]
    assert _codes(study, tissue_types=("nerve", "fat")) == ["C0001", "C0002", "C0003"]
    assert _codes(study, scores=(QualityScore.EXCELLENT,)) == ["C0001", "C0002"]
    assert _codes(study, cases=("C0003", "C0001")) == ["C0001", "C0003"]
    assert _codes(study, tissue_types=("nerve",), scores=(QualityScore.SUFFICIENT,)) == ["C0003"]


def test_a_stage_is_passed_where_its_newest_round_is_done(study: Study, three: list[Review]) -> None:
    assert _codes(study, stages=("review",)) == ["C0001", "C0002", "C0003"]
    row = CaseStage.objects.get(case__code="C0002", stage="review")
    CaseStage.objects.create(case=row.case, stage="review", round=2, is_added=True)
    assert _codes(study, stages=("annotate", "review")) == ["C0001", "C0003"]
    CaseStage.objects.filter(case__code="C0003", stage="annotate").update(state="returned")
    assert _codes(study, stages=("annotate", "review")) == ["C0001"]


def test_consent_is_asked_for_and_a_refusal_always_counts(study: Study, three: list[Review]) -> None:
    for review, consent in zip(three, (Consent.GIVEN, Consent.UNSAID, Consent.REFUSED), strict=True):
        case = case_of(review)
        case.consent = consent
        case.save()
    without = select(study)
    assert [review.mask.case.code for review in without.reviews] == ["C0001", "C0002"]
    assert [(each.code, each.subject) for each in without.findings] == [("case-without-consent", "C0003")]
    asked = select(study, CaseSelection(needs_consent=True))
    assert [review.mask.case.code for review in asked.reviews] == ["C0001"]
    assert [each.subject for each in asked.findings] == ["C0002", "C0003"]
    assert "no consent of the patient is recorded" in asked.findings[0].message
    assert "did not agree" in asked.findings[1].message
    with pytest.raises(RejectedInput, match=r"C0003.*did not agree.*nothing-selected"):
        select(study, CaseSelection(cases=("C0003",)))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"stages": ("third-reading",)}, "stage-unknown"),
        ({"tissue_types": ("bone",)}, "tissue-type-unknown"),
        ({"cases": ("C0009",)}, "case-unknown"),
        ({"tissue_types": ("vascular",)}, "nothing-selected"),
        ({"scores": (QualityScore.INCORRECT,)}, "nothing-selected"),
        ({"cases": ("C0001",), "tissue_types": ("fat",)}, "case-not-selected"),
    ],
)
def test_what_cannot_be_is_refused(study: Study, two: list[Review], asked: dict, code: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        select(study, CaseSelection(**asked))
    assert refusal.value.code == code


def test_a_case_that_is_named_and_not_approved_is_refused_by_name(study: Study, two: list[Review]) -> None:
    registered_case("C0004")
    exclude(case_of(two[1]), reason="Metal artefact.")
    with pytest.raises(RejectedInput) as refusal:
        select(study, CaseSelection(cases=("C0001", "C0002", "C0004")))
    assert refusal.value.code == "case-not-approved"
    assert "C0002: it was excluded: Metal artefact.; C0004: " in refusal.value.message
    assert "C0001" not in refusal.value.message

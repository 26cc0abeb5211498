"""One review after another of the same mask: the second waits for its verdict, though the first gave one that holds."""

from typing import Any

import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.approvals import why_unapproved
from annotation_backend.review.models import Verdict, approved_review
from annotation_backend.review.queue_order import waiting
from annotation_backend.review.services import entries_of, next_waiting
from annotation_backend.stages.flow import follow
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.work.taking.claiming import next_review
from annotation_backend.work.verdicts import opened_cases
from datasets.errors import RejectedInput
from tests.annotation_backend.stages.world import worker
from tests.annotation_backend.support.records import (
    accounts,
    approve,
    first_account,
    published,
    registered_case,
    saved,
    signed_in,
    the_study,
)

pytestmark = pytest.mark.django_db

STAGES = """
[[stages]]
name = "annotate"
title = "Drawing"
does = "draw"
done_by = "annotator"

[[stages]]
name = "first"
title = "First review"
done_by = "radiologist"
after = ["annotate"]
returns_to = "annotate"

[[stages]]
name = "second"
title = "Second review"
done_by = "radiologist"
after = ["first"]
returns_to = "annotate"
"""


@pytest.fixture
def mask(tmp_path: Any, settings: Any) -> CaseMask:
    """Of a case that waits for its first review."""
    settings.DATA_FOLDER = tmp_path / "data"
    accounts()
    study = the_study()
    Study.objects.filter(pk=study.pk).update(document=study.document.split("[[stages]]")[0] + STAGES)
    case = registered_case()
    for number, task in enumerate(published(case, first_task=1)):
        saved(task, identifier=1 + number)
    made = assemble(Case.objects.get(pk=case.pk))
    assert made is not None
    follow(made.case, standing_of(made.case).drawn)
    return made


def _state(mask: CaseMask, stage: str) -> str:
    return CaseStage.objects.filter(case=mask.case, stage=stage).order_by("round").values_list("state", flat=True)[0]


def _radiologist() -> User:
    return first_account(Role.RADIOLOGIST)


def test_the_second_review_waits_for_its_verdict_and_approves(mask: CaseMask) -> None:
    other = worker(mask.case.study, Role.RADIOLOGIST, 2)
    approve(mask, _radiologist())
    assert (_state(mask, "first"), _state(mask, "second")) == ("done", "open")
    assert approved_review(mask.case) is None, "not before the second one"
    assert list(waiting(mask.case.study)) == [mask.case]
    [entry] = entries_of([mask.case])
    assert entry.is_waiting
    assert next_waiting(mask.case.study, other, after=Case(code="C0000")) == mask.case
    assert why_unapproved(mask.case.code) == "another stage of its protocol waits"
    assert next_review(mask.case.study, other).row.stage == "second"
    page = signed_in(other).get(page_of(mask.case.study, "review-case", mask.case.code)).content
    assert b"data-verdict" in page
    assert [one.case for one in opened_cases(mask.case.study, other)] == [mask.case], "also for verdicts on several"
    approve(mask, other)
    assert opened_cases(mask.case.study, other) == []
    assert (_state(mask, "second"), approved_review(mask.case) is not None) == ("done", True)
    assert list(waiting(mask.case.study)) == []
    assert not entries_of([mask.case])[0].is_waiting
    with pytest.raises(RejectedInput) as refused:
        approve(mask, other)
    assert refused.value.code == "already-decided"


def test_the_second_review_may_return_what_the_first_approved(mask: CaseMask) -> None:
    approve(mask, _radiologist())
    approve(mask, worker(mask.case.study, Role.RADIOLOGIST, 2), verdict=Verdict.RETURN, comment="The edge is wrong")
    assert (_state(mask, "second"), approved_review(mask.case)) == ("returned", None)
    assert CaseStage.objects.get(case=mask.case, stage="annotate", round=2).is_open

"""One verdict on several opened cases: each by itself, each as it was shown, refusals told."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from annotation_backend.work.models import Opening
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import published, registered_case, saved, signed_in

pytestmark = pytest.mark.django_db

FORM = {"verdict": "approve", "quality_score": "excellent", "accepts_unannotated": "on", "comment": ""}


@pytest.fixture
def masks(people: dict[Role, User], tmp_path: Path, settings: Any) -> list[CaseMask]:
    """Of three cases with a drawn slice each."""
    settings.DATA_FOLDER = tmp_path / "data"
    made = []
    for number in (1, 2, 3):
        task = published(registered_case(f"C{number:04d}"), first_task=100 * number)[2]
        saved(task, identifier=number)
        made.append(assemble(task.case))
    return made


def _open(browser: Client, *masks: CaseMask) -> None:
    for mask in masks:
        assert browser.get(page_at("review-case", mask.case.code)).status_code == 200


def _give(browser: Client, *masks: CaseMask, **changes: str) -> Any:
    form = {**FORM, "case": [mask.case.code for mask in masks], **changes}
    return browser.post(page_at("bulk-verdicts"), form)


def test_cases_that_were_opened_are_decided_together_and_others_are_not(
    radiologist: Client, masks: list[CaseMask]
) -> None:
    _open(radiologist, *masks[:2])
    page = radiologist.get(page_at("bulk-verdicts"))
    assert [one.case.code for one in page.context["opened"]] == ["C0001", "C0002"]
    answer = _give(radiologist, *masks)
    outcomes = {one.code: (one.review is not None, one.refusal) for one in answer.context["outcomes"]}
    assert outcomes["C0001"] == outcomes["C0002"] == (True, "")
    assert "[case-unopened]" in outcomes["C0003"][1]
    assert {review.mask.case.code: review.verdict for review in Review.objects.all()} == {
        "C0001": "approve",
        "C0002": "approve",
    }
    assert answer.context["opened"] == [], "what is decided is listed no more"


def test_a_case_that_changed_since_it_was_opened_is_refused_by_itself(
    radiologist: Client, masks: list[CaseMask]
) -> None:
    _open(radiologist, *masks[:2])
    saved(masks[0].case.labeling_tasks.get(slice_index=3), identifier=99)
    assemble(masks[0].case)
    outcomes = {one.code: one.refusal for one in _give(radiologist, *masks[:2]).context["outcomes"]}
    assert "[mask-superseded]" in outcomes["C0001"]
    assert outcomes["C0002"] == ""
    assert Review.objects.get().mask == masks[1]


def test_the_digest_of_the_page_that_was_shown_is_what_counts(radiologist: Client, masks: list[CaseMask]) -> None:
    _open(radiologist, masks[0])
    Opening.objects.update(seen_sha256="0" * 64)
    assert "[seen-superseded]" in _give(radiologist, masks[0]).context["outcomes"][0].refusal


def test_what_another_person_opened_is_not_ones_own(
    radiologist: Client, masks: list[CaseMask], people: dict[Role, User], study: Study
) -> None:
    _open(signed_in(people[Role.DATA_MANAGER]), *masks)
    assert all("[case-unopened]" in one.refusal for one in _give(radiologist, *masks).context["outcomes"])


def test_a_return_needs_its_comment_in_each_case(radiologist: Client, masks: list[CaseMask]) -> None:
    _open(radiologist, *masks)
    refused = _give(radiologist, *masks, verdict="return").context["outcomes"]
    assert ["[comment-missing]" in one.refusal for one in refused] == [True] * 3
    _give(radiologist, *masks, verdict="return", comment="wider")
    assert Review.objects.filter(verdict="return", comment="wider").count() == 3


@pytest.mark.parametrize("changes", [{"case": []}, {"verdict": "down"}, {"quality_score": ""}, {"verdict": "\x00"}])
def test_a_form_without_a_case_or_a_score_is_refused(
    radiologist: Client, masks: list[CaseMask], changes: dict[str, Any]
) -> None:
    _open(radiologist, masks[0])
    assert radiologist.post(page_at("bulk-verdicts"), {**FORM, "case": ["C0001"], **changes}).status_code == 400
    assert not Review.objects.exists()


def test_a_data_manager_looks_and_gives_none_and_an_annotator_does_not_come_in(
    masks: list[CaseMask], people: dict[Role, User]
) -> None:
    manager = signed_in(people[Role.DATA_MANAGER])
    _open(manager, masks[0])
    assert "[not-a-radiologist]" in _give(manager, masks[0]).context["outcomes"][0].refusal
    assert signed_in(people[Role.ANNOTATOR]).get(page_at("bulk-verdicts")).status_code == 403

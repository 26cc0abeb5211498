"""Sudden losses are found in any order of the saves, and a case is not approved before somebody looked."""

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import Annotation, AnnotationFinding, FindingKind, LabelingTask
from annotation_backend.labeling.saves.store import mark_deleted, unmark
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.decoded_masks import decode_missing
from annotation_backend.labeling.versions.losses import mark_seen, note_losses, open_findings
from annotation_backend.review.models import Verdict
from annotation_backend.review.services import decide
from datasets.errors import RejectedInput
from datasets.image.mask import OEDEMA, TUMOUR
from datasets.study.case import QualityScore
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import SHAPE, published, registered_case, saved

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(people: dict[Role, User]) -> LabelingTask:
    return published(registered_case())[2]


def _region(rows: tuple[int, int], columns: tuple[int, int], label: str = TUMOUR) -> dict[str, Any]:
    mask = np.zeros((SHAPE[1], SHAPE[0]), dtype=bool)
    mask[slice(*rows), slice(*columns)] = True
    return region_of(mask, region_id=f"r{rows[0]}c{columns[0]}", score=None, label=label)


WHOLE = [_region((0, 10), (0, 10))]  # 100 pixels
A_FIFTH = [_region((0, 10), (0, 2))]
NINETEEN = [_region((0, 9), (0, 2)), _region((9, 10), (0, 1))]
TWO = [_region((0, 10), (0, 10)), _region((12, 16), (12, 16))]
JOINED = [_region((0, 16), (0, 16))]
ONE_GONE_OTHER_GROWN = [_region((0, 11), (0, 24))]
BOTH_LABELS = [*WHOLE, _region((11, 15), (0, 10), OEDEMA)]


def _save(task: LabelingTask, result: list[dict[str, Any]], *, hour: int, **changes: Any) -> None:
    saved(task, result=result, updated_at=f"2026-11-21T{hour}:00:00.000001Z", **changes)


def _note(task: LabelingTask) -> list[tuple[str, str]]:
    decode_missing(task.case)
    note_losses(task.case)
    return [(finding.kind, finding.label) for finding in open_findings(task.case)]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (WHOLE, WHOLE, []),
        (WHOLE, A_FIFTH, []),
        (WHOLE, NINETEEN, [(FindingKind.AREA, TUMOUR)]),
        (WHOLE, [], [(FindingKind.AREA, TUMOUR)]),
        ([], WHOLE, []),
        ([], [], []),
        (TWO, WHOLE, [(FindingKind.REGIONS, TUMOUR)]),
        (TWO, JOINED, []),
        (TWO, ONE_GONE_OTHER_GROWN, [(FindingKind.REGIONS, TUMOUR)]),
        (BOTH_LABELS, WHOLE, [(FindingKind.LABEL, OEDEMA)]),
        (BOTH_LABELS, [], [(FindingKind.AREA, OEDEMA), (FindingKind.AREA, TUMOUR)]),
    ],
)
def test_a_loss_is_what_a_save_took_away_and_did_not_join(
    task: LabelingTask, before: list[dict[str, Any]], after: list[dict[str, Any]], found: list[tuple[str, str]]
) -> None:
    _save(task, before, hour=10)
    _save(task, after, hour=11)
    assert sorted(_note(task)) == sorted(found)
    assert sorted(_note(task)) == sorted(found), "asking again raises nothing new"


def test_a_loss_says_how_much(task: LabelingTask) -> None:
    _save(task, WHOLE, hour=10)
    _save(task, NINETEEN, hour=11)
    _note(task)
    assert AnnotationFinding.objects.get().numbers == {
        "area_before": 100,
        "area_after": 19,
        "regions_before": 1,
        "regions_after": 2,
    }


def test_what_is_found_does_not_depend_on_the_order_in_which_saves_came(task: LabelingTask) -> None:
    halves = [WHOLE, [_region((0, 10), (0, 4))], NINETEEN]  # 100, 40, 19: no step loses more than 80 %
    _save(task, halves[0], hour=10)
    _save(task, halves[2], hour=12)
    assert _note(task) == [(FindingKind.AREA, TUMOUR)]
    _save(task, halves[1], hour=11)
    assert _note(task) == []


def test_a_late_save_does_not_unsay_what_a_person_saw(task: LabelingTask, people: dict[Role, User]) -> None:
    _save(task, WHOLE, hour=10)
    _save(task, NINETEEN, hour=12)
    _note(task)
    assert mark_seen(open_findings(task.case), people[Role.RADIOLOGIST]) == 1
    _save(task, [_region((0, 10), (0, 4))], hour=11)
    _note(task)
    finding = AnnotationFinding.objects.get()
    assert finding.seen_by == people[Role.RADIOLOGIST]
    assert finding.seen_at is not None


def test_a_drawn_slice_whose_annotation_is_deleted_or_skipped_is_a_loss_until_it_is_back(task: LabelingTask) -> None:
    _save(task, WHOLE, hour=10)
    mark_deleted(Annotation.objects.filter(label_studio_id=7))
    assert _note(task) == [(FindingKind.WITHDRAWN, TUMOUR)]
    unmark(Annotation.objects.filter(label_studio_id=7))
    assert _note(task) == []
    _save(task, WHOLE, hour=11, was_cancelled=True)
    assert _note(task) == [(FindingKind.WITHDRAWN, TUMOUR)]


def test_a_deleted_second_annotation_that_leaves_the_first_is_no_loss(task: LabelingTask) -> None:
    _save(task, WHOLE, hour=10)
    _save(task, JOINED, hour=11, identifier=8)
    mark_deleted(Annotation.objects.filter(label_studio_id=8))
    assert _note(task) == []


def test_a_very_long_label_is_found_by_its_beginning(task: LabelingTask) -> None:
    _save(task, [_region((0, 10), (0, 10), "x" * 300)], hour=10)
    _save(task, [], hour=11)
    assert _note(task) == [(FindingKind.AREA, "x" * 100)]


def test_a_case_is_approved_once_somebody_has_looked(task: LabelingTask, people: dict[Role, User]) -> None:
    _save(task, WHOLE, hour=10)
    _save(task, NINETEEN, hour=11)
    _note(task)
    mask = assemble(task.case)
    assert mask is not None
    words = {"verdict": Verdict.APPROVE, "quality_score": QualityScore.EXCELLENT, "accepts_unannotated": True}
    with pytest.raises(RejectedInput, match="losses-unseen"):
        decide(mask, people[Role.RADIOLOGIST], **words)  # type: ignore[arg-type]
    mark_seen(open_findings(task.case), people[Role.DATA_MANAGER])
    assert decide(mask, people[Role.RADIOLOGIST], **words).verdict == Verdict.APPROVE  # type: ignore[arg-type]


def test_a_case_with_losses_can_be_returned_unseen(task: LabelingTask, people: dict[Role, User]) -> None:
    _save(task, WHOLE, hour=10)
    _save(task, [], hour=11)
    _note(task)
    mask = assemble(task.case)
    assert mask is not None
    review = decide(
        mask,
        people[Role.RADIOLOGIST],
        verdict=Verdict.RETURN,
        quality_score=QualityScore.INCORRECT,
        comment="Where is it?",
    )
    assert review.verdict == Verdict.RETURN


@pytest.fixture
def finding(task: LabelingTask) -> AnnotationFinding:
    _save(task, WHOLE, hour=10)
    _save(task, NINETEEN, hour=11)
    _note(task)
    assemble(task.case)
    return AnnotationFinding.objects.get()


@pytest.mark.parametrize("role", list(Role))
def test_reviewers_see_findings_on_three_pages_and_say_that_they_were_meant(
    client: Client, people: dict[Role, User], finding: AnnotationFinding, role: Role
) -> None:
    client.force_login(people[role])
    allowed = role is not Role.ANNOTATOR
    for address in (reverse("home"), page_at("case-page", "C0001")):
        assert ("1 finding" in client.get(address).content.decode()) == (allowed or "cases" in address)
    for address in (page_at("finding-list"), page_at("review-case", "C0001")):
        page = client.get(address)
        assert page.status_code == (200 if allowed else 403)
        assert ("100 → 19 pixels" in page.content.decode()) == allowed
    answer = client.post(page_at("finding-seen", finding.pk), {"back": page_at("review-case", "C0001")})
    assert answer.status_code == (302 if allowed else 403)
    finding.refresh_from_db()
    assert finding.seen_by == (people[role] if allowed else None)
    if allowed:
        assert answer["Location"] == page_at("review-case", "C0001")
        assert "finding to look at" not in client.get(reverse("home")).content.decode()


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_the_way_back_leads_nowhere_else(
    client: Client, people: dict[Role, User], finding: AnnotationFinding, back: str
) -> None:
    client.force_login(people[Role.RADIOLOGIST])
    answer = client.post(page_at("finding-seen", finding.pk), {"back": back})
    assert answer["Location"] == page_at("finding-list")


def test_a_rehearsals_losses_are_nobodys(task: LabelingTask, finding: AnnotationFinding) -> None:
    task.case.is_rehearsal = True
    task.case.save()
    assert not open_findings().exists()

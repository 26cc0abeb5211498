"""The rules of a verdict, and where a returned case goes."""

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask, LabelingTask, TaskState
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.doubts import name_annotator, note_doubts
from annotation_backend.labeling.versions.losses import open_findings
from annotation_backend.review.models import Verdict, approved_review
from annotation_backend.review.services import queue
from datasets.errors import RejectedInput
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import approve, saved, the_study

pytestmark = pytest.mark.django_db


def test_a_radiologist_approves_and_the_case_has_an_approved_mask(mask: CaseMask, people: dict[Role, User]) -> None:
    review = approve(mask, people[Role.RADIOLOGIST])
    assert approved_review(mask.case) == review
    assert [entry.is_waiting for entry in queue(the_study())] == [False]


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.DATA_MANAGER, Role.ANNOTATOR])
def test_nobody_else_approves(mask: CaseMask, people: dict[Role, User], role: Role) -> None:
    with pytest.raises(RejectedInput, match="not-a-radiologist"):
        approve(mask, people[role])
    assert approved_review(mask.case) is None


def test_nobody_approves_their_own_drawing_not_even_an_edited_one(mask: CaseMask, people: dict[Role, User]) -> None:
    task = LabelingTask.objects.get(slice_index=2)
    radiologist = people[Role.RADIOLOGIST]
    saved(task, updated_by=radiologist.label_studio_id, updated_at="2026-11-21T11:00:00Z")
    saved(task, updated_at="2026-11-21T12:00:00Z")
    newest = assemble(task.case)
    assert newest is not None
    with pytest.raises(RejectedInput, match="own-drawing"):
        approve(newest, radiologist)


def test_an_annotation_that_somebody_else_touched_last_stays_its_annotators_own(
    people: dict[Role, User], mask: CaseMask
) -> None:
    task = LabelingTask.objects.get(slice_index=3)
    saved(task, identifier=8, completed_by=people[Role.RADIOLOGIST].label_studio_id)
    newest = assemble(task.case)
    assert newest is not None
    with pytest.raises(RejectedInput, match="own-drawing"):
        approve(newest, people[Role.RADIOLOGIST])


def test_an_annotation_by_an_unknown_person_is_in_no_mask_and_waits_for_a_name(
    people: dict[Role, User], mask: CaseMask
) -> None:
    task = LabelingTask.objects.get(slice_index=3)
    saved(task, identifier=8, person=99)
    assert assemble(task.case) == mask
    assert note_doubts(task.case) == 1
    with pytest.raises(RejectedInput, match="losses-unseen"):
        approve(mask, people[Role.RADIOLOGIST])
    [finding] = open_findings(task.case)
    assert name_annotator(finding, people[Role.RADIOLOGIST], named_by=people[Role.DATA_MANAGER]) == 1
    newest = assemble(task.case)
    assert newest is not None
    assert newest.annotated_slices == [2, 3]
    with pytest.raises(RejectedInput, match="own-drawing"):
        approve(newest, people[Role.RADIOLOGIST])


def test_a_mask_whose_annotator_is_not_known_any_more_does_not_count(people: dict[Role, User], mask: CaseMask) -> None:
    User.objects.filter(pk=people[Role.ANNOTATOR].pk).update(label_studio_id=None)
    with pytest.raises(RejectedInput, match="mask-superseded"):
        approve(mask, people[Role.RADIOLOGIST])


def test_a_save_that_is_not_in_the_mask_yet_keeps_it_from_approval(people: dict[Role, User], mask: CaseMask) -> None:
    task = LabelingTask.objects.get(slice_index=3)
    saved(task, identifier=8)
    with pytest.raises(RejectedInput, match="mask-behind"):
        approve(mask, people[Role.RADIOLOGIST])


def test_slices_that_nobody_submitted_need_a_word(mask: CaseMask, people: dict[Role, User]) -> None:
    with pytest.raises(RejectedInput, match="slices-unannotated"):
        approve(mask, people[Role.RADIOLOGIST], accepts_unannotated=False)


def test_the_page_names_slices_that_nobody_submitted_in_short(
    mask: CaseMask, people: dict[Role, User], client: Client
) -> None:
    client.force_login(people[Role.RADIOLOGIST])
    page = client.get(page_at("review-case", mask.case.code)).content.decode()
    last = max(mask.unannotated_slices)
    runs = f'<a href="#slice-0">0–1</a>, <a href="#slice-3">3–{last}</a></p>'
    assert mask.annotated_slices == [2]
    assert f"counted as empty: {runs}" in page


def test_a_return_needs_a_comment_and_goes_to_the_annotators_tab(mask: CaseMask, people: dict[Role, User]) -> None:
    with pytest.raises(RejectedInput, match="comment-missing"):
        approve(mask, people[Role.RADIOLOGIST], verdict=Verdict.RETURN, comment="  ")
    approve(mask, people[Role.RADIOLOGIST], verdict=Verdict.RETURN, comment="Lower border.")
    assert LabelingTask.objects.get(slice_index=2).state == TaskState.RETURNED
    assert LabelingTask.objects.get(slice_index=0).state == TaskState.PENDING
    assert approved_review(mask.case) is None


def test_a_second_verdict_and_a_verdict_on_an_old_mask_are_refused(mask: CaseMask, people: dict[Role, User]) -> None:
    approve(mask, people[Role.RADIOLOGIST])
    with pytest.raises(RejectedInput, match="already-decided"):
        approve(mask, people[Role.RADIOLOGIST])
    task = LabelingTask.objects.get(slice_index=3)
    saved(task, identifier=8)
    assemble(mask.case)
    with pytest.raises(RejectedInput, match="mask-superseded"):
        approve(mask, people[Role.RADIOLOGIST])

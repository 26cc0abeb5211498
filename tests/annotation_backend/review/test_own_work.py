"""Nobody approves an own mask, nor marks an own loss as seen, also after faults or a name given later."""

from pathlib import Path
from typing import Any

import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import (
    Annotation,
    CaseMask,
    FindingKind,
    LabelingTask,
    NamedDrawer,
    Restoration,
)
from annotation_backend.labeling.saves.store import mark_deleted, receive
from annotation_backend.labeling.versions import versions
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.decoded_masks import decode_missing
from annotation_backend.labeling.versions.doubts import name_annotator, note_doubts
from annotation_backend.labeling.versions.losses import may_mark_seen, note_losses, open_findings
from annotation_backend.review import endings
from annotation_backend.review.approvals import approved_reviews
from annotation_backend.review.models import EndReason, Review, Verdict, VerdictEnd, latest_review
from annotation_backend.review.services import decide
from annotation_backend.studies.people import give_role
from datasets.errors import RejectedInput, TryAgain
from datasets.study.case import QualityScore
from tests.annotation_backend.support.records import member, published, registered_case, save_body, saved, the_study

pytestmark = pytest.mark.django_db

LATER, LAST = "2026-11-21T11:00:00.000001Z", "2026-11-21T12:00:00.000001Z"
ADMINISTRATOR, RADIOLOGIST, ANNOTATOR = 1, 3, 4


@pytest.fixture
def tasks(people: dict[Role, User], tmp_path: Path, settings) -> list[LabelingTask]:
    settings.DATA_FOLDER = tmp_path
    return published(registered_case())


def _made(task: LabelingTask) -> CaseMask:
    made = assemble(task.case)
    assert made is not None
    return made


def _approve(mask: CaseMask, reviewer: User) -> Review:
    return decide(
        mask,
        reviewer,
        verdict=Verdict.APPROVE,
        quality_score=QualityScore.EXCELLENT,
        accepts_unannotated=True,
    )


@pytest.mark.parametrize("error", ["label-studio-down", "label-studio-answer"])
def test_a_restoration_that_label_studio_took_without_an_answer_keeps_its_annotators(
    tasks: list[LabelingTask], people: dict[Role, User], monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    saved(tasks[2], person=ANNOTATOR)
    drawn = saved(tasks[2], completed_by=ANNOTATOR, updated_by=RADIOLOGIST, updated_at=LATER)
    mark_deleted(Annotation.objects.filter(pk=drawn.pk))

    def silent(*_words: Any, **_options: Any) -> Any:
        raise TryAgain(error, "Label Studio does not answer.", remedy="Run it again.")

    monkeypatch.setattr(versions, "call", silent)
    with pytest.raises(TryAgain):
        versions.restore(drawn, person=people[Role.DATA_MANAGER])
    saved(tasks[4], identifier=9, person=ANNOTATOR)
    mask = _made(tasks[2])
    assert not mask.is_drawn_by(people[Role.RADIOLOGIST]), "that slice was not saved since"
    came = saved(tasks[2], identifier=8, completed_by=ANNOTATOR, updated_by=ADMINISTRATOR, updated_at=LAST)
    mask = _made(tasks[2])
    assert came in mask.annotations.all()
    with pytest.raises(RejectedInput, match="own-drawing"):
        _approve(mask, people[Role.RADIOLOGIST])


def test_a_restoration_that_label_studio_refused_leaves_no_record(
    tasks: list[LabelingTask], people: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_words: Any, **_options: Any) -> Any:
        raise RejectedInput("label-studio-token", "Label Studio refuses our token.", remedy="See .env.")

    monkeypatch.setattr(versions, "call", refuses)
    with pytest.raises(RejectedInput, match="label-studio-token"):
        versions.restore(saved(tasks[2]), person=people[Role.RADIOLOGIST])
    assert not Restoration.objects.exists()


def test_a_version_comes_back_with_its_origin_or_not_at_all(
    tasks: list[LabelingTask], people: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between both: reconciliation takes the save over later, and the record of the wish is there still."""
    version = saved(tasks[2], person=RADIOLOGIST)
    answer = save_body(tasks[2], completed_by=RADIOLOGIST, updated_by=ADMINISTRATOR, updated_at=LATER)
    monkeypatch.setattr(versions, "call", lambda *_words, **_options: answer)

    def killed(*_words: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Restoration, "save", killed, raising=True)
        patched.setattr(
            Restoration.objects, "create", lambda **values: Restoration.objects.bulk_create([Restoration(**values)])[0]
        )
        with pytest.raises(KeyboardInterrupt):
            versions.restore(version, person=people[Role.DATA_MANAGER])
    assert Annotation.objects.count() == 1
    assert Restoration.objects.get().result is None


def test_a_person_who_named_the_annotator_does_not_approve_in_another_role(
    tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    saved(tasks[2], completed_by=ANNOTATOR, updated_by=0)
    note_doubts(tasks[2].case)
    manager = people[Role.DATA_MANAGER]
    finding = open_findings(tasks[2].case).get(kind=FindingKind.AUTHOR)
    name_annotator(finding, people[Role.ANNOTATOR], named_by=manager)
    give_role(the_study(), manager, Role.RADIOLOGIST)
    with pytest.raises(RejectedInput, match="own-word"):
        _approve(_made(tasks[2]), manager)
    assert _approve(_made(tasks[2]), people[Role.RADIOLOGIST])


def test_a_named_annotator_marks_no_loss_of_that_save_as_seen(
    tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    saved(tasks[2])
    small = saved(tasks[2], completed_by=ANNOTATOR, updated_by=0, updated_at=LATER, result=[])
    NamedDrawer.objects.create(annotation=small, person=people[Role.RADIOLOGIST], named_by=people[Role.DATA_MANAGER])
    decode_missing(tasks[2].case)
    note_losses(tasks[2].case)
    loss = open_findings(tasks[2].case).get(kind=FindingKind.AREA)
    assert not may_mark_seen(loss, people[Role.RADIOLOGIST])
    assert may_mark_seen(loss, people[Role.DATA_MANAGER])


def test_a_person_who_restored_a_smaller_version_marks_no_loss_of_it_as_seen(
    tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    saved(tasks[2])
    small = saved(tasks[2], updated_by=ADMINISTRATOR, updated_at=LATER, result=[])
    Restoration.objects.create(source=small, result=small, person=people[Role.RADIOLOGIST])
    decode_missing(tasks[2].case)
    note_losses(tasks[2].case)
    loss = open_findings(tasks[2].case).get(kind=FindingKind.AREA)
    assert not may_mark_seen(loss, people[Role.RADIOLOGIST])
    assert may_mark_seen(loss, people[Role.DATA_MANAGER])


def test_an_approval_ends_when_it_turns_out_that_its_reviewer_drew(
    tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    """As in a version that did not know what a version was restored from."""
    own = saved(tasks[2], person=RADIOLOGIST)
    mark_deleted(Annotation.objects.filter(pk=own.pk))
    back = saved(tasks[2], identifier=8, completed_by=ANNOTATOR, updated_by=ADMINISTRATOR, updated_at=LATER)
    review = _approve(_made(tasks[2]), people[Role.RADIOLOGIST])
    assert approved_reviews() == [review]
    Restoration.objects.create(source=own, result=back, person=people[Role.DATA_MANAGER])
    assert approved_reviews() == []
    assert VerdictEnd.objects.get().reason == EndReason.OWN
    other = member("second@example.org", Role.RADIOLOGIST, label_studio_id=33)
    again = _approve(_made(tasks[2]), other)
    assert approved_reviews() == [again]


def test_what_is_imported_under_the_number_of_a_restored_version_keeps_its_mask_from_approval(
    tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    source = saved(tasks[2], person=ANNOTATOR)
    mark_deleted(Annotation.objects.filter(pk=source.pk))
    back = saved(tasks[2], identifier=8, completed_by=ANNOTATOR, updated_by=ADMINISTRATOR, updated_at=LATER)
    Restoration.objects.create(source=source, result=back, person=people[Role.DATA_MANAGER])
    saved(tasks[4], identifier=source.label_studio_id, completed_by=ANNOTATOR, updated_by=0, updated_at=LAST)
    with pytest.raises(RejectedInput, match="author-unknown"):
        _approve(_made(tasks[2]), people[Role.RADIOLOGIST])
    note_doubts(tasks[2].case)
    finding = open_findings(tasks[2].case).get(kind=FindingKind.AUTHOR)
    name_annotator(finding, people[Role.ANNOTATOR], named_by=people[Role.DATA_MANAGER])
    assert _approve(_made(tasks[2]), people[Role.RADIOLOGIST])


def test_a_verdict_that_came_while_an_earlier_ones_end_was_worked_out_stays(
    tasks: list[LabelingTask], people: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tasks[2])
    before = _approve(_made(tasks[2]), people[Role.RADIOLOGIST])
    Review.objects.filter(pk=before.pk).update(seen_sha256="0" * 64)
    earlier = latest_review(tasks[2].case)
    VerdictEnd.objects.create(review=before, reason=EndReason.PICTURES)
    now = _approve(_made(tasks[2]), people[Role.RADIOLOGIST])
    VerdictEnd.objects.all().delete()
    asked = [earlier]
    monkeypatch.setattr(endings, "latest_review", lambda case: asked.pop() if asked else latest_review(case))
    assert endings.end_what_changed(tasks[2].case) is None
    assert approved_reviews() == [now]
    tasks[2].refresh_from_db()
    assert tasks[2].state == "approved"


def test_a_forged_save_of_the_reviewers_ends_no_approval(tasks: list[LabelingTask], people: dict[Role, User]) -> None:
    saved(tasks[2])
    review = _approve(_made(tasks[2]), people[Role.RADIOLOGIST])
    receive({"action": "ANNOTATION_UPDATED", "annotation": save_body(tasks[2], person=RADIOLOGIST, updated_at=LATER)})
    assert approved_reviews() == [review]

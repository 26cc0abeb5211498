"""What a return asks to be drawn again: the slices with open comments, or the whole case; the rest is confirmed."""

import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask, LabelingTask, TaskState
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.comments.services import close, pin
from annotation_backend.review.models import Comment, Verdict
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import begin, follow
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage
from annotation_backend.stages.whereabouts import whereabouts_of
from annotation_backend.work.own import OwnPiece, own_pieces
from annotation_backend.work.taking.handing_in import hand_in_drawing
from datasets.study.stage import AssignedBy
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import (
    accounts,
    approve,
    published,
    registered_case,
    saved,
    signed_in,
    the_study,
)

pytestmark = pytest.mark.django_db

DRAWN = (1, 2, 3)
VOXEL = [3, 4, 2]


@pytest.fixture
def people() -> dict[Role, User]:
    return accounts()


@pytest.fixture
def mask(people: dict[Role, User]) -> CaseMask:
    """Of a case whose slices 1 to 3 the annotator has drawn, of all that are theirs."""
    case = registered_case()
    tasks = published(case)
    [row] = begin(case)
    assign(row, people[Role.ANNOTATOR], [task.slice_index for task in tasks], how=AssignedBy.CLAIM)
    for index in DRAWN:
        saved(tasks[index], identifier=index)
    found = assemble(case)
    assert found is not None
    follow(case, dict.fromkeys(DRAWN, row.opened_at))
    for assignment in Assignment.objects.filter(row=row):
        hand_in_drawing(assignment)
    return found


def _returned(mask: CaseMask, people: dict[Role, User], *, pinned: bool) -> CaseStage:
    if pinned:
        pin(mask.case, people[Role.RADIOLOGIST], voxel=VOXEL, text="Too far out.", mask=mask)
    words = {"verdict": Verdict.RETURN, "comment": "See slice 2." if pinned else "Too generous."}
    approve(mask, people[Role.RADIOLOGIST], **words)
    return CaseStage.objects.get(case=mask.case, stage="annotate", round=2)


def _piece(people: dict[Role, User]) -> OwnPiece:
    [piece] = own_pieces(the_study(), people[Role.ANNOTATOR])
    return piece


def _again(index: int) -> None:
    saved(LabelingTask.objects.get(slice_index=index), identifier=index, updated_at="2036-01-01T10:00:00Z")


def _page(people: dict[Role, User]) -> str:
    page = signed_in(people[Role.ANNOTATOR]).get(page_at("my-work")).content.decode()
    return " ".join(page.split())


def test_slices_with_open_comments_are_asked_for_and_the_others_stay_drawn(
    mask: CaseMask, people: dict[Role, User]
) -> None:
    row = _returned(mask, people, pinned=True)
    assert row.asked_slices == [2]
    states = dict(LabelingTask.objects.order_by("slice_index").values_list("slice_index", "state")[:4])
    assert states == {0: TaskState.PENDING, 1: TaskState.ANNOTATED, 2: TaskState.RETURNED, 3: TaskState.ANNOTATED}
    piece = _piece(people)
    assert (list(piece.asked or ()), piece.drawn_again, piece.kept, list(piece.drawn)) == ([2], [], [1, 3], [1, 3])
    assert piece.next_task is not None
    assert piece.next_task.slice_index == 2, "what is asked for comes first"
    words = "0 of 1 slice drawn again; 2 slices are drawn and not asked for: handing in confirms them; not drawn yet: 0"
    assert words in _page(people)
    _again(2)
    assert (_piece(people).drawn_again, _piece(people).next_task.slice_index) == ([2], 0)  # type: ignore[union-attr]


def test_without_a_comment_that_is_pinned_the_whole_case_is_asked_for(mask: CaseMask, people: dict[Role, User]) -> None:
    row = _returned(mask, people, pinned=False)
    assert row.asked_slices is None
    assert LabelingTask.objects.filter(state=TaskState.RETURNED).count() == len(DRAWN)
    piece = _piece(people)
    assert (list(piece.asked or ()), list(piece.drawn), piece.kept) == (list(DRAWN), [], [])
    assert "0 of 3 slices drawn again: draw what is to change, handing in confirms the others" in _page(people)


def test_a_comment_that_is_closed_asks_for_nothing_any_more(mask: CaseMask, people: dict[Role, User]) -> None:
    second = pin(mask.case, people[Role.RADIOLOGIST], voxel=VOXEL, text="And here.", mask=mask)
    row = _returned(mask, people, pinned=True)
    close(second, people[Role.ANNOTATOR])
    row.refresh_from_db()
    assert row.asked_slices == [2], "another comment on the slice is open"
    close(Comment.objects.open().get(), people[Role.ANNOTATOR])
    row.refresh_from_db()
    assert row.asked_slices == []
    assert LabelingTask.objects.get(slice_index=2).state == TaskState.ANNOTATED
    assert _piece(people).kept == list(DRAWN)
    assert "3 slices are drawn and not asked for: handing in confirms them" in _page(people)


def test_handing_in_what_stays_as_it_is_opens_the_review_again(mask: CaseMask, people: dict[Role, User]) -> None:
    _returned(mask, people, pinned=True)
    close(Comment.objects.get(), people[Role.ANNOTATOR])
    opened = hand_in_drawing(Assignment.objects.get(state=AssignmentState.OPEN))
    assert [(one.stage, one.round) for one in opened] == [("review", 2)]


def test_the_cases_page_says_which_slices_are_asked_for(mask: CaseMask, people: dict[Role, User]) -> None:
    _returned(mask, people, pinned=True)
    [step, *_] = whereabouts_of([mask.case])[mask.case.pk].steps
    assert step.is_next == "an annotator draws slice 2 again, and confirms the others"
    page = signed_in(people[Role.ANNOTATOR]).get(page_at("case-page", mask.case.code)).content.decode()
    assert "draws slice 2 again, and confirms the others" in page


def test_the_reviewer_is_told_what_a_return_asks_for(mask: CaseMask, people: dict[Role, User]) -> None:
    page = signed_in(people[Role.RADIOLOGIST]).get(page_at("review-case", mask.case.code)).content.decode()
    assert "A return asks for the slices with open comments, and for the whole case where there are none." in page

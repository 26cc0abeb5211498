"""Comments at voxels: who pins, answers and closes them, where they are shown, and what they cannot do."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask, LabelingTask, TaskState
from annotation_backend.labeling.project.task_states import stale_tasks
from annotation_backend.review.comments.services import answer, close, pin, plain
from annotation_backend.review.models import Comment, Verdict
from datasets.errors import RejectedInput
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import approve, saved, signed_in

pytestmark = pytest.mark.django_db

VOXEL = [3, 4, 2]


@pytest.fixture
def comment(mask: CaseMask, people: dict[Role, User]) -> Comment:
    """Of the radiologist, on slice 2."""
    return pin(mask.case, people[Role.RADIOLOGIST], voxel=VOXEL, text="The border lies too far out.", mask=mask)


def _task(index: int = 2) -> LabelingTask:
    return LabelingTask.objects.get(slice_index=index)


def test_a_comment_stands_above_the_task_of_its_slice_alone(comment: Comment) -> None:
    assert comment.slice_index == 2
    assert "The border lies too far out." in _task().slice_comments
    assert _task(3).slice_comments == ""
    assert [task.slice_index for task in stale_tasks()] == [2], "Label Studio does not have it yet"


def test_a_returned_task_shows_the_verdicts_words_and_its_own_comments(
    comment: Comment, mask: CaseMask, people: dict[Role, User]
) -> None:
    approve(mask, people[Role.RADIOLOGIST], verdict=Verdict.RETURN, comment="See slice 2.")
    task = _task()
    assert task.state == TaskState.RETURNED
    first, second = task.shown_comment.split("\n")
    assert (first, "too far out" in second) == ("See slice 2.", True)
    saved(task, updated_at="2026-11-22T10:00:00Z")
    assert "too far out" in _task().shown_comment, "a comment stays until somebody closes it"
    assert "See slice 2." not in _task().shown_comment


def test_an_answer_changes_nothing_and_closing_takes_the_words_away(comment: Comment, people: dict[Role, User]) -> None:
    annotator = people[Role.ANNOTATOR]
    said = answer(comment, annotator, text="Moved inwards.")
    assert (said.answered_to, said.voxel, said.slice_index) == (comment, VOXEL, 2)
    assert _task().slice_comments != ""
    close(comment, annotator)
    comment.refresh_from_db()
    assert (comment.closed_by, comment.is_open, _task().slice_comments) == (annotator, False, "")
    for act in (lambda: close(comment, annotator), lambda: answer(comment, annotator, text="Once more.")):
        with pytest.raises(RejectedInput, match="comment-closed"):
            act()
    with pytest.raises(RejectedInput, match="comment-is-answer"):
        close(said, annotator)


@pytest.mark.parametrize(
    ("voxel", "text", "code"),
    [
        ([24, 0, 0], "x", "comment-nowhere"),
        ([0, -1, 0], "x", "comment-nowhere"),
        ([0, 0], "x", "comment-nowhere"),
        (VOXEL, " \u202e\u200f ", "comment-empty"),
        (VOXEL, "x" * 1001, "comment-too-long"),
    ],
)
def test_bad_comments_are_refused_by_name(
    mask: CaseMask, people: dict[Role, User], voxel: list[int], text: str, code: str
) -> None:
    with pytest.raises(RejectedInput, match=code):
        pin(mask.case, people[Role.RADIOLOGIST], voxel=voxel, text=text)
    assert not Comment.objects.exists()


def test_signs_that_turn_or_hide_words_are_taken_out_and_lines_stay() -> None:
    assert plain("a\u202egnp.exe\u2069\r\nsecond\x00\x07") == "agnp.exe\nsecond"
    assert plain("e\u0301") == "\u00e9"


def test_markup_is_shown_as_it_was_typed(mask: CaseMask, people: dict[Role, User], radiologist: Client) -> None:
    pin(mask.case, people[Role.RADIOLOGIST], voxel=VOXEL, text="<script>alert(1)</script> {{ x }}")
    page = radiologist.get(page_at("review-comments", "C0001")).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ x }}" in page
    assert "<script>alert" not in page


def test_people_are_named_by_role_and_number_never_by_their_address(
    comment: Comment, people: dict[Role, User], radiologist: Client
) -> None:
    values = radiologist.get(page_at("review-comments", "C0001"), headers={"accept": "application/json"}).json()
    [one] = values["comments"]
    number = people[Role.RADIOLOGIST].pk
    assert (one["author"], one["voxel"], one["slice"], one["isOpen"]) == (f"Radiologist {number}", VOXEL, 2, True)
    assert "@" not in radiologist.get(page_at("review-comments", "C0001")).content.decode().replace("@media", "")


def test_who_reviews_pins_and_who_draws_answers_and_closes(
    mask: CaseMask, people: dict[Role, User], radiologist: Client
) -> None:
    address = page_at("review-comments", "C0001")
    form = {"i": 3, "j": 4, "k": 2, "mask": mask.pk, "text": "Too large."}
    annotator = signed_in(people[Role.ANNOTATOR])
    assert annotator.post(address, form).status_code == 403
    made = radiologist.post(address, form)
    assert made.status_code == 201
    comment = Comment.objects.get()
    assert (comment.mask, comment.voxel) == (mask, VOXEL)
    page = annotator.get(address).content.decode()
    assert "Too large." in page
    assert page_at("studio-of-slice", "C0001", 2) in page, "the way back to the slice's task"
    annotator.post(page_at("review-comment", "C0001", comment.pk), {"text": "Smaller now.", "action": "close"})
    assert [each.text for each in comment.answers.all()] == ["Smaller now."]
    comment.refresh_from_db()
    assert comment.closed_by == people[Role.ANNOTATOR]


@pytest.mark.parametrize("form", [{}, {"i": 1, "j": 1, "k": 1}, {"i": "x", "j": 1, "k": 1, "text": "a"}])
def test_a_form_without_place_or_words_is_refused(mask: CaseMask, radiologist: Client, form: dict[str, object]) -> None:
    answered = radiologist.post(page_at("review-comments", "C0001"), form)
    assert (answered.status_code, answered.json()["code"]) == (400, "comment-form")


def test_the_link_above_a_task_leads_to_the_studys_page(comment: Comment, people: dict[Role, User]) -> None:
    answered = signed_in(people[Role.ANNOTATOR]).get("/review/C0001/comments/")
    assert answered.headers["Location"] == page_at("review-comments", "C0001")


def test_the_page_asks_no_more_with_more_comments(
    comment: Comment, people: dict[Role, User], radiologist: Client
) -> None:
    counts = []
    for _ in range(2):
        for number in range(6):
            other = pin(comment.case, people[Role.RADIOLOGIST], voxel=[number, 1, number % 5], text="More.")
            answer(other, people[Role.ANNOTATOR], text="Yes.")
        with CaptureQueriesContext(connection) as asked:
            radiologist.get(page_at("review-comments", "C0001"))
        counts.append(len(asked))
    assert counts[0] == counts[1]

"""Comments: pinning, answering and closing them, and their words above the right slice's task in Label Studio."""

import unicodedata
from collections.abc import Mapping, Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.register import require_in_use
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.jobs import mirror_case_states
from annotation_backend.labeling.models import CaseMask, LabelingTask, TaskState
from annotation_backend.review.models import MOST_COMMENT, Comment
from annotation_backend.stages.flow import ask_no_more
from annotation_backend.stages.hiding import unheard_people
from datasets.errors import RejectedInput

MOST_COMMENTS = 200
"""Comments of one case, with their answers."""

_MOST_SHOWN = 3
"""Comments of a slice whose words stand above its task; the page shows all."""

_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that turn the direction of what is written after them."""


def pin(case: Case, author: User, *, voxel: Sequence[int], text: str, mask: CaseMask | None = None) -> Comment:
    """Pins a comment to a voxel of a case.

    Args:
        case: With pictures.
        author: Who says it.
        voxel: Indices i, j, k on the case's grid.
        text: What is said.
        mask: The mask that was looked at, where there is one.

    Raises:
        RejectedInput: ``comment-empty``, ``comment-too-long``, ``comments-too-many``, ``comment-nowhere`` (no voxel of
            the grid), or the case is excluded.
    """
    plane = picture_plane(case)
    if len(voxel) != 3 or not all(0 <= at < size for at, size in zip(voxel, plane.grid.shape, strict=True)):
        raise RejectedInput(
            "comment-nowhere", "The comment is pinned to no voxel of the case.", remedy="Click into a picture first."
        )
    return _said(
        case, author, text, voxel=[int(at) for at in voxel], slice_index=int(voxel[plane.slice_axis]), mask=mask
    )


def answer(comment: Comment, author: User, *, text: str) -> Comment:
    """Answers a comment.

    Raises:
        RejectedInput: As `pin`, or the comment is closed (``comment-closed``).
    """
    first = comment.answered_to or comment
    if first.closed_at is not None:
        raise _closed()
    place = {"voxel": first.voxel, "slice_index": first.slice_index, "mask": first.mask}
    return _said(first.case, author, text, **place, answered_to=first)


def close(comment: Comment, person: User) -> Comment:
    """Closes a comment: what it asked for is done.

    Raises:
        RejectedInput: It is closed already (``comment-closed``), or is an answer (``comment-is-answer``).
    """
    if comment.answered_to_id is not None:
        raise RejectedInput(
            "comment-is-answer", "An answer is not closed by itself.", remedy="Close the comment that it answers."
        )
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=comment.case_id)
        if not Comment.objects.open().filter(pk=comment.pk).update(closed_at=timezone.now(), closed_by=person):
            raise _closed()
        _ask_no_more(comment)
        show_in_tasks(comment.case)
    comment.refresh_from_db()
    return comment


def _ask_no_more(comment: Comment) -> None:
    """A slice without an open comment is not asked for any more: whoever drew it may say that it is right as it is."""
    of_slice = {"case": comment.case, "slice_index": comment.slice_index}
    if Comment.objects.open().filter(**of_slice).exists() or not ask_no_more(comment.case, comment.slice_index):
        return
    returned = LabelingTask.objects.filter(**of_slice, state=TaskState.RETURNED)
    returned.update(state=TaskState.ANNOTATED, review_comment="")


def shown_comments(case: Case, person: User) -> QuerySet[Comment]:
    """The comments and answers of a case that a person may read: while others who read it with them are not heard, none
    that these said since."""
    rows = Comment.objects.filter(case=case)
    for row, people in unheard_people(person, case):
        rows = rows.exclude(created__gte=row.opened_at, author__in=people)
    return rows


def plain(text: str) -> str:
    """What a person wrote, without signs that cannot be seen or turn the direction of others; lines stay."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    kept = (sign for sign in lines if sign == "\n" or (sign not in _TURNING and unicodedata.category(sign) != "Cc"))
    return "".join(kept).strip()


def show_in_tasks(case: Case) -> None:
    """Writes each slice's open comments above its task in Label Studio, beside what the review asks for.

    Must run in a transaction that holds the case's lock. Only what changed is written, by the job that mirrors states.
    """
    words = _words_by_slice(case)
    tasks = LabelingTask.objects.filter(case=case)
    stale = [task for task in tasks if task.slice_comments != words.get(task.slice_index, "")]
    for task in stale:
        LabelingTask.objects.filter(pk=task.pk).update(slice_comments=words.get(task.slice_index, ""))
    if stale:
        queue_once(mirror_case_states, case_code=case.code)


def _words_by_slice(case: Case) -> Mapping[int, str]:
    """By slice: the words of its open comments, and where they are answered."""
    found: dict[int, list[str]] = {}
    for comment in Comment.objects.open().filter(case=case):
        found.setdefault(comment.slice_index, []).append(" ".join(comment.text.split()))
    return {index: _one_line(words) for index, words in found.items()}


def _one_line(words: Sequence[str]) -> str:
    shown = " · ".join(words[:_MOST_SHOWN])
    more = f" · and {len(words) - _MOST_SHOWN} more" if len(words) > _MOST_SHOWN else ""
    return f"Comment on this slice: {shown}{more} (place, answer, close: Comments, above)"


def _said(case: Case, author: User, text: str, **place: object) -> Comment:
    words = plain(text)
    if not words:
        raise RejectedInput("comment-empty", "The comment says nothing.", remedy="Write what should change here.")
    if len(words) > MOST_COMMENT:
        raise RejectedInput(
            "comment-too-long",
            f"A comment has {MOST_COMMENT} signs at most, got {len(words)}.",
            remedy="Say it in fewer words, or in two comments at two places.",
        )
    with transaction.atomic():
        locked = Case.objects.select_for_update().get(pk=case.pk)
        require_in_use(locked)
        if Comment.objects.filter(case=locked).count() >= MOST_COMMENTS:
            raise RejectedInput(
                "comments-too-many",
                f"The case has {MOST_COMMENTS} comments already.",
                remedy="Return the case with what matters most.",
            )
        comment = Comment.objects.create(case=locked, author=author, text=words, **place)
        show_in_tasks(locked)
    return comment


def _closed() -> RejectedInput:
    return RejectedInput("comment-closed", "The comment is closed already.", remedy="Pin a new one, if need be.")

"""The piece of a drawing stage's work that a person can have now: which slices, and where to begin."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from annotation_backend.accounts.models import User
from annotation_backend.labeling.models import Annotation, LabelingTask
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.stages.models import WHOLE_CASE, AssignedSlice, Assignment, CaseStage
from annotation_backend.work.taking.suggestions import around, beginning_of, largest_slice
from datasets.study.stage import AssignedBy, Stage, WantedSlices


@dataclass(frozen=True)
class Piece:
    """A piece of work.

    Args:
        slices: Indices; `WHOLE_CASE` for the case as a whole.
        words: What the person needs to know to begin; empty for nothing.
        begins_at: The slice that is proposed to begin with.
    """

    slices: tuple[int, ...]
    words: str = ""
    begins_at: int | None = None


def piece_for(row: CaseStage, stage: Stage, person: User) -> Piece | None:
    """What a person can have of an open drawing stage; None where nothing is free.

    Args:
        row: The stage.
        stage: Its rules.
        person: Who asks; what they may do at all is checked where it is given to them.
    """
    held = list(AssignedSlice.objects.filter(row=row, is_held=True).values_list("slice_index", "person"))
    mine = {index for index, whose in held if whose == person.pk}
    taken = set() if stage.readers > 1 else {index for index, whose in held if whose != person.pk}
    if WHOLE_CASE in taken | mine:
        return None
    published = published_slices(row)
    if not published:
        return None
    if stage.slices is WantedSlices.CENTRE:
        return None if taken else _centre(row, stage, published)
    if stage.unit != "slice":
        return None if taken else _beginning_well(row, stage, published, (WHOLE_CASE,))
    drawn = drawn_in(row, stage, person)
    free = [index for index in published if index not in taken | mine and not is_done(row, drawn, index)]
    if not free:
        return None
    if stage.slices is WantedSlices.ADJACENT:
        return Piece(tuple(outwards(free, drawn)[: stage.piece or None]))
    return _beginning_well(row, stage, published, free)


def propose_beginning(assignment: Assignment) -> None:
    """Says where to begin in drawing work that somebody was given, and why; who took a piece has been told already.

    A case that came back begins with what is asked for.
    """
    row, stage = assignment.row, assignment.row.rules
    was_taken = assignment.how == AssignedBy.CLAIM and not row.is_control
    if stage is None or not stage.draws or was_taken or assignment.begins_at is not None or row.round > 1:
        return
    if stage.slices is WantedSlices.ADJACENT:
        return
    held = tuple(assignment.slices.values_list("slice_index", flat=True))
    published = published_slices(row)
    is_one = stage.slices is WantedSlices.CENTRE
    piece = _centre(row, stage, published) if is_one else _beginning_well(row, stage, published, held, is_theirs=True)
    if piece.begins_at is not None:
        assignment.begins_at = piece.begins_at
        assignment.why = ". ".join(filter(None, (assignment.why, piece.words)))[:200]
        assignment.save(update_fields=["begins_at", "why"])


def published_slices(row: CaseStage) -> list[int]:
    """Indices of the slices that can be drawn on in Label Studio now."""
    tasks = LabelingTask.objects.filter(case=row.case_id, project__is_retired=False, label_studio_id__gt=0)
    return list(tasks.order_by("slice_index").values_list("slice_index", flat=True))


def drawn_in(row: CaseStage, stage: Stage, person: User) -> Mapping[int, datetime]:
    """When each slice was drawn that counts in a stage, by index: the case's, or the reader's own."""
    if not (stage.keeps_readings or row.is_control):
        return standing_of(row.case).drawn
    return own_saves(row, person)


def own_saves(row: CaseStage, person: User) -> dict[int, datetime]:
    """When a reader saved each slice of their own work, by index."""
    saves = Annotation.objects.filter(reading__row=row, reading__person=person).counting()
    return dict(saves.order_by("saved_at").values_list("task__slice_index", "saved_at"))


def is_done(row: CaseStage, drawn: Mapping[int, datetime], index: int) -> bool:
    """Whether a slice is drawn; one that is asked for once more, whether it was drawn since then."""
    return index in drawn and (not row.is_repeated or not row.asks_for(index) or drawn[index] > row.opened_at)


def outwards(indices: Iterable[int], drawn: Collection[int]) -> list[int]:
    """Slices by their distance to the nearest finished one; in their order where none is finished."""
    if not drawn:
        return sorted(indices)
    return sorted(indices, key=lambda index: (min(abs(index - one) for one in drawn), index))


def _beginning_well(
    row: CaseStage, stage: Stage, published: Collection[int], free: Sequence[int], *, is_theirs: bool = False
) -> Piece:
    """A piece of what is free, with where to begin and why: in its order where nobody knows where the tumour is.

    Args:
        row: The stage.
        stage: Its rules.
        published: Slices that can be drawn on.
        free: Those to choose from, or `WHOLE_CASE` alone.
        is_theirs: Whether all of these are the person's already.
    """
    found = largest_slice(row, stage)
    count = 0 if is_theirs else stage.piece
    if found is None or found.index not in published:
        return Piece(tuple(free[: count or None]))
    chosen = free if WHOLE_CASE in free else around(free, found.index, count)
    begins = beginning_of(chosen, found)
    return Piece(tuple(chosen)) if begins is None else Piece(tuple(chosen), begins.words, begins.index)


def _centre(row: CaseStage, stage: Stage, published: Collection[int]) -> Piece:
    found = largest_slice(row, stage)
    if found is None or found.index not in published:
        return Piece((WHOLE_CASE,), "Choose the slice where the tumour is largest")
    words = f"The tumour is largest on slice {found.index} by {found.by}; choose another one where that is wrong"
    return Piece((WHOLE_CASE,), words, found.index)

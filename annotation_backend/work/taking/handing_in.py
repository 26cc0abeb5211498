"""Handing in one's own drawing: refused while nothing is drawn, because nobody could review it."""

from annotation_backend.stages.assigning import hand_in
from annotation_backend.stages.models import Assignment, CaseStage
from annotation_backend.work.taking.pieces import drawn_in
from datasets.errors import RejectedInput


def hand_in_drawing(assignment: Assignment) -> list[CaseStage]:
    """Hands in a piece of drawing work; returns the stages that it opened.

    Raises:
        RejectedInput: It is none (``work-action``), nothing is drawn (``nothing-drawn``), or it has ended
            (``assignment-ended``).
    """
    stage = assignment.row.rules
    if stage is None or not stage.draws:
        raise RejectedInput("work-action", "This is no drawing to hand in.", remedy="Give your verdict on its page.")
    drawn = drawn_in(assignment.row, stage, assignment.person) if assignment.is_open else {}
    if assignment.is_open and not drawn:
        raise RejectedInput(
            "nothing-drawn",
            "Nobody drew anything of this that could be reviewed.",
            remedy="Submit a slice in Label Studio, an empty one where it holds no tumour; or give the piece back.",
        )
    return hand_in(assignment, drawn=drawn)

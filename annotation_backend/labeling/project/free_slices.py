"""A slice that nobody has yet becomes the person's who opens it, where its stage's pieces are there to be claimed."""

from contextlib import suppress

from annotation_backend.accounts.models import User
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import open_rows
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy


def claim_if_free(person: User, task: LabelingTask) -> bool:
    """Claims a slice for a person who may draw it and whom nobody was before.

    Returns:
        Whether it is theirs now.
    """
    for row in open_rows(task.case):
        stage = row.rules
        if stage is None or not stage.draws or stage.assignment is not AssignedBy.CLAIM:
            continue
        with suppress(RejectedInput):  # it is somebody else's, or none of their role's
            assign(row, person, [task.slice_index], how=AssignedBy.CLAIM, why="Opened from Maskloop's pages")
            return True
    return False

"""Corrections in a review stage that allows them; each is a version of the mask with its author."""

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask, Correction, CorrectionKind
from annotation_backend.labeling.versions.corrections import correct
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.services import require_reviewable
from annotation_backend.review.verdict_stages import stage_for
from datasets.errors import RejectedInput
from datasets.image.mask import Mask


def correct_in_review(case: Case, author: User, mask: Mask, *, base: CaseMask) -> Correction:
    """Keeps a reviewer's mask in the place of the one that they looked at.

    Args:
        case: The case.
        author: A reviewer whose work the open review stage is.
        mask: On the case's grid.
        base: The mask that was corrected, which must still count.

    Raises:
        RejectedInput: The case takes no verdict of theirs now (as `require_reviewable` and `stage_for` say), the stage
            allows no corrections (``correction-not-allowed``), or what `correct` refuses.
    """
    require_reviewable(case)
    row, stage = stage_for(case, author, standing_of(case))
    if not stage.may_correct:
        raise RejectedInput(
            "correction-not-allowed",
            f"{stage.title} of this study does not correct masks.",
            remedy="Return the case with a comment, or have the protocol allow it (may_correct).",
        )
    return correct(case, mask, kind=CorrectionKind.CORRECTED, row=row, author=author, base=base)

"""The stage that a verdict is given in, and what the verdicts of a stage make of the case."""

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.jobs import mirror_case_states
from annotation_backend.labeling.models import CaseMask, LabelingTask, TaskState
from annotation_backend.labeling.versions.standing import Standing
from annotation_backend.review.models import Comment, Review, Verdict, latest_review
from annotation_backend.stages.assigning import hand_in
from annotation_backend.stages.flow import finish, follow, open_rows, reopen, send_back, send_down
from annotation_backend.stages.hiding import is_blind_still
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage
from annotation_backend.studies.people import has_role_in
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy, Stage, StageWork


def open_review(case: Case) -> CaseStage | None:
    """The open review stage of a case; None where it waits for none."""
    return next((row for row in open_rows(case) if row.rules and row.rules.does is StageWork.REVIEW), None)


def stage_for(case: Case, reviewer: User, standing: Standing) -> tuple[CaseStage, Stage]:
    """The review stage in which a person gives a verdict now, and its rules.

    Raises:
        RejectedInput: They have not its role (``not-a-radiologist``), the case waits for no review
            (``stage-not-open``), or the work is somebody else's (``not-assigned``).
    """
    row = open_review(case)
    if row is None:
        follow(case, standing.drawn)
        row = open_review(case)
    if row is None and (last := latest_review(case)) is not None and last.ending is not None:
        reopen(case, why="the last verdict has ended")
        row = open_review(case)
    stage = row.rules if row is not None else None
    if not has_role_in(case.study, reviewer, Role(stage.done_by) if stage else Role.RADIOLOGIST):
        raise RejectedInput(
            "not-a-radiologist", "Only a radiologist gives a verdict.", remedy="Sign in as a radiologist."
        )
    if row is None or stage is None:
        raise RejectedInput(
            "stage-not-open", "The case does not wait for a review now.", remedy="Its page says which stage it is in."
        )
    if stage.assignment is not AssignedBy.OPEN and not _their_work(row, reviewer):
        raise RejectedInput(
            "not-assigned", f"{stage.title} of this case is not yours.", remedy="Take the next case of your own list."
        )
    return row, stage


def why_not_theirs(row: CaseStage | None, person: User) -> str:
    """Why an open review of a case is not a person's to give, who has its role; nothing where it is or none is."""
    stage = row.rules if row is not None else None
    if row is None or stage is None or not has_role_in(row.case.study, person, Role(stage.done_by)):
        return ""
    if stage.assignment is AssignedBy.OPEN or _their_work(row, person):
        return ""
    if Assignment.objects.filter(row=row, state=AssignmentState.OPEN).count() >= stage.readers:
        return "This case is assigned to somebody else: you can look, and give no verdict. My work has what is yours."
    if stage.assignment is AssignedBy.CLAIM:
        return "Nobody has taken this case yet: Next case to review on My work takes what is next."
    return (
        "This case is assigned to nobody yet; a data manager assigns it under Work, or it finds its reviewer by itself."
    )


def follow_verdicts(review: Review, stage: Stage) -> None:
    """Moves the case on once a stage has the verdicts that it asks for; until then only the reader's part is done."""
    row, case = review.row, review.mask.case
    assert row is not None  # noqa: S101  # `decide` gives each verdict a stage
    for assignment in _their_work(row, review.reviewer):
        hand_in(assignment)
    given = [one for one in Review.objects.filter(row=row).select_related("end", "mask") if one.holds_on(review.mask)]
    if len(given) < stage.readers:
        return
    verdicts = {Verdict(one.verdict) for one in given}
    state = TaskState.APPROVED if verdicts == {Verdict.APPROVE} else TaskState.RETURNED
    why = "; ".join(one.comment for one in given if one.comment)
    asked: list[int] | None = None
    if state is TaskState.APPROVED:
        finish(row, person=review.reviewer, why="approved")
    elif Verdict.RETURN in verdicts:
        asked = asked_for(case)
        send_back(row, person=review.reviewer, why=why, slices=asked)
    else:
        send_down(row, person=review.reviewer, why=review.quality_words)
        state = TaskState.PENDING
    said = why[:4000] if state is TaskState.RETURNED else ""
    tasks = LabelingTask.objects.filter(case=case)
    tasks = tasks if state is TaskState.PENDING else tasks.exclude(state=TaskState.PENDING)
    tasks = tasks.filter(slice_index__in=asked) if state is TaskState.RETURNED and asked else tasks
    tasks.update(state=state, review_comment=said)
    queue_once(mirror_case_states, case_code=case.code)


def asked_for(case: Case) -> list[int] | None:
    """The slices that a return asks for: those with open comments; None, the whole case, where there are none."""
    open_ones = Comment.objects.open().filter(case=case)
    return sorted(set(open_ones.values_list("slice_index", flat=True))) or None


def shown_reviews(case: Case, person: User) -> list[Review]:
    """The verdicts on a case that a person may see: others' in a blind stage only once all of its readers gave theirs.

    Nothing is blind for a data manager.
    """
    rows = Review.objects.filter(mask__case=case).select_related("reviewer", "end", "row__case__study")
    if has_role_in(case.study, person, Role.DATA_MANAGER):
        return list(rows)
    return [one for one in rows if one.reviewer_id == person.pk or one.row is None or not is_blind_still(one.row)]


def is_decided_for(mask: CaseMask | None, person: User) -> bool:
    """Whether a mask has its verdict: no stage waits for one, or only for those of others.

    What one stage said of it is no verdict of the stage that comes next.
    """
    review = latest_review(mask.case) if mask is not None else None
    if mask is None or review is None or not review.holds_on(mask):
        return False
    row = open_review(mask.case)
    return row is None or Review.objects.filter(mask=mask, row=row, reviewer=person, end__isnull=True).exists()


def _their_work(row: CaseStage, person: User) -> list[Assignment]:
    return list(Assignment.objects.filter(row=row, person=person, state=AssignmentState.OPEN))

"""Decides between readers: one mask that counts from now on, with its author, and the stage is done."""

from django.db import transaction

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.register import require_sound
from annotation_backend.labeling.models import Correction, CorrectionKind
from annotation_backend.labeling.versions.corrections import correct
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.readers.adjudication.choices import BY_REGION, Choices, chosen_mask
from annotation_backend.readers.adjudication.readings import open_adjudication, readings_for
from annotation_backend.stages.assigning import hand_in, require_may_do
from annotation_backend.stages.flow import finish, lock
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage, Reading
from annotation_backend.studies.people import has_role_in
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy, Stage


def adjudicate(case: Case, person: User, choices: Choices, *, seen_sha256: str) -> Correction:
    """Keeps the mask that a person chose of readers' masks, and ends the stage.

    Saves, verdicts and other decisions wait meanwhile: all of them lock the case.

    Args:
        case: The case.
        person: Who decides.
        choices: What they take.
        seen_sha256: Digest of the readers' masks that their page showed.

    Raises:
        RejectedInput: The case waits for no decision (``stage-not-open``), the person may not give it
            (``stage-not-theirs``, ``stage-drew-before``, ``not-assigned``), a mask has changed since the page was
            loaded (``seen-superseded``), or a choice cannot be followed.
    """
    with transaction.atomic():
        lock(case)
        case = Case.objects.select_related("study").get(pk=case.pk)
        require_sound(case)
        row, stage = stage_to_decide(case, person)
        readings = readings_for(row)
        if readings.masks_sha256 != seen_sha256:
            raise RejectedInput(
                "seen-superseded",
                "A reader's mask has changed since the page was loaded.",
                remedy="Load the page, look at the masks as they are now, and choose again.",
            )
        correction = correct(
            case,
            chosen_mask(readings, choices),
            kind=CorrectionKind.ADJUDICATED,
            row=row,
            author=person,
            base=standing_of(case).mask,
        )
        for assignment in _open_work(row, person):
            hand_in(assignment)
        finish(row, person=person, why=_words(choices, stage))
    return correction


def stage_to_decide(case: Case, person: User) -> tuple[CaseStage, Stage]:
    """The open stage in which a person decides between readers, and its rules.

    Raises:
        RejectedInput: As `adjudicate` says.
    """
    row = open_adjudication(case)
    if row is None:
        raise RejectedInput(
            "stage-not-open",
            f"{case.code} does not wait for a decision between readers now.",
            remedy="Its page says which stage it is in.",
        )
    stage = require_may_do(row, person)
    if Reading.objects.filter(row__case=case, row__stage__in=stage.after, person=person).exists():
        raise RejectedInput(
            "stage-drew-before", "You are one of the readers of this case.", remedy="Somebody else decides."
        )
    if stage.assignment is not AssignedBy.OPEN and not _open_work(row, person):
        raise RejectedInput(
            "not-assigned", f"{stage.title} of this case is not yours.", remedy="Take the next case of your own list."
        )
    return row, stage


def may_look(case: Case, row: CaseStage, person: User) -> bool:
    """Whether a person may see readers' masks beside each other: a data manager, or who may decide between them."""
    if has_role_in(case.study, person, Role.DATA_MANAGER):
        return True
    try:
        stage_to_decide(case, person)
    except RejectedInput:
        return False
    return row.is_open


def _open_work(row: CaseStage, person: User) -> list[Assignment]:
    return list(Assignment.objects.filter(row=row, person=person, state=AssignmentState.OPEN))


def _words(choices: Choices, stage: Stage) -> str:
    if choices.whole == BY_REGION:
        return f"{stage.title}: merged by region, {len(choices.regions)} chosen"
    return f"{stage.title}: {choices.whole if not choices.whole.isdecimal() else f'reader {choices.whole}'} taken whole"

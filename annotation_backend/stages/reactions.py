"""Receivers of signals: cases follow a changed protocol, and work finds its people."""

from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from annotation_backend.accounts.models import User
from annotation_backend.accounts.signals import account_closed
from annotation_backend.cases.models import Case
from annotation_backend.stages.added import finished_without, open_added_stages, require_said
from annotation_backend.stages.assigning import give_again
from annotation_backend.stages.flow import begin
from annotation_backend.stages.leaving import give_back_what_they_may_not
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage
from annotation_backend.stages.signals import assignment_ended, sent_back, stage_opened
from annotation_backend.stages.spreading import find_another_for, spread_by_itself
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import FinishedCases
from annotation_backend.studies.signals import protocol_asked, protocol_changed, role_changed
from datasets.study.protocol import Protocol


@receiver(protocol_asked)
def ask_about_finished_cases(
    *, study: Study, protocol: Protocol, finished: FinishedCases | None, **_signal: Any
) -> None:
    """Refuses a protocol with stages that finished cases were never in, until somebody says what becomes of them."""
    require_said(study, protocol, finished)


@receiver(protocol_changed)
def open_for_finished_cases(
    *, study: Study, former: Protocol, person: User | None, finished: FinishedCases | None, **_signal: Any
) -> None:
    """Queues that added stages are opened for the cases that were finished without them, where it is so said."""
    added = finished_without(study, former, study.protocol) if finished is FinishedCases.OPEN else {}
    if added:
        open_added_stages.enqueue(
            study=study.name,
            stages=[stage.name for stage in added],
            version=study.protocol.version,
            person=None if person is None else person.pk,
        )


@receiver(protocol_changed)
def follow_protocol(*, study: Study, **_signal: Any) -> None:
    """Ends open stages that the protocol does not have any more; cases without another begin it anew."""
    begun = CaseStage.objects.filter(case__study=study).values("case")
    for case in Case.objects.filter(study=study, pk__in=begun).select_related("study"):
        begin(case)


@receiver(sent_back)
def give_back_to_whom_it_was(*, row: CaseStage, why: str, **_signal: Any) -> None:
    """Gives the work of a stage that a review sent a case back to, to the people who did it last, or to others."""
    give_again(row, why=why)
    spread_by_itself(row)


@receiver(stage_opened)
def give_out(*, row: CaseStage, is_sent_back: bool, **_signal: Any) -> None:
    """Gives a stage that was opened to the people to whom its protocol gives it by itself."""
    if not is_sent_back:  # then it is theirs first who did it before
        spread_by_itself(row)


@receiver(assignment_ended)
def find_another(*, assignment: Assignment, **_signal: Any) -> None:
    """Gives what somebody gave up to another at once, where the protocol gives it out by itself.

    Only once it is stored: who leaves is locked until then, and so would be those among whom another is looked for.
    """
    if assignment.state in (AssignmentState.GIVEN_BACK, AssignmentState.LAPSED) and not assignment.row.is_control:
        transaction.on_commit(partial(find_another_for, assignment.row_id), robust=True)


@receiver(role_changed)
def give_back_of_role(*, study: Study, person: User, **_signal: Any) -> None:
    """Gives back what a person has open in a study and may not do any more."""
    give_back_what_they_may_not(person, study)


@receiver(account_closed)
def give_back_all(*, person: User, **_signal: Any) -> None:
    """Gives back all that a person has open whose account was closed."""
    give_back_what_they_may_not(person)

"""Receivers of signals: cases follow a changed protocol, and work finds its people."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.accounts.models import User
from annotation_backend.accounts.signals import account_closed
from annotation_backend.cases.models import Case
from annotation_backend.stages.assigning import give_again
from annotation_backend.stages.flow import begin
from annotation_backend.stages.leaving import give_back_what_they_may_not
from annotation_backend.stages.models import CaseStage
from annotation_backend.stages.signals import sent_back, stage_opened
from annotation_backend.stages.spreading import BY_ITSELF, spread
from annotation_backend.studies.models import Study
from annotation_backend.studies.signals import protocol_changed, role_changed


@receiver(protocol_changed)
def follow_protocol(*, study: Study, **_signal: Any) -> None:
    """Ends open stages that the protocol does not have any more; cases without another begin it anew."""
    begun = CaseStage.objects.filter(case__study=study).values("case")
    for case in Case.objects.filter(study=study, pk__in=begun).select_related("study"):
        begin(case)


@receiver(sent_back)
def give_back_to_whom_it_was(*, row: CaseStage, why: str, **_signal: Any) -> None:
    """Gives the work of a stage that a review sent a case back to, to the people who did it last."""
    give_again(row, why=why)


@receiver(stage_opened)
def give_out(*, row: CaseStage, **_signal: Any) -> None:
    """Gives a stage that was opened to the people to whom its protocol gives it by itself."""
    stage = row.rules
    if stage is not None and stage.assignment in BY_ITSELF:
        spread(row, how=stage.assignment)


@receiver(role_changed)
def give_back_of_role(*, study: Study, person: User, **_signal: Any) -> None:
    """Gives back what a person has open in a study and may not do any more."""
    give_back_what_they_may_not(person, study)


@receiver(account_closed)
def give_back_all(*, person: User, **_signal: Any) -> None:
    """Gives back all that a person has open whose account was closed."""
    give_back_what_they_may_not(person)

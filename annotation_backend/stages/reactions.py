"""Receivers of signals: cases follow a changed protocol, and what is sent back goes to whoever did it."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.cases.models import Case
from annotation_backend.stages.assigning import give_again
from annotation_backend.stages.flow import begin
from annotation_backend.stages.models import CaseStage
from annotation_backend.stages.signals import sent_back
from annotation_backend.studies.models import Study
from annotation_backend.studies.signals import protocol_changed


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

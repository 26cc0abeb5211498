"""Receivers of signals from the apps below: who opened which case, how far its masks agree, and that time passes."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.signals import saves_settled, time_passed
from annotation_backend.review.signals import case_opened
from annotation_backend.stages.leases import note_work
from annotation_backend.stages.models import Assignment
from annotation_backend.stages.signals import assigned
from annotation_backend.work.digests import send_if_due
from annotation_backend.work.taking.agreement import measure
from annotation_backend.work.taking.pieces import propose_beginning
from annotation_backend.work.verdicts import note_opening


@receiver(saves_settled, sender=CaseMask)
def compare_masks(*, case: Case, **_signal: Any) -> None:
    """Measures how far the case's masks agree; in the worker, where its mask was just put together."""
    if not case.is_rehearsal and case.is_registered:
        measure(case)


@receiver(case_opened)
def note_look(*, case: Case, person: User, mask: CaseMask, seen_sha256: str, **_signal: Any) -> None:
    """Keeps what a reviewer's page showed, for verdicts on several cases; a look is a sign of work."""
    note_opening(person, mask, seen_sha256)
    note_work(person, case)


@receiver(assigned)
def say_where_to_begin(*, assignment: Assignment, **_signal: Any) -> None:
    """Tells who was given work, and took none, where to begin."""
    propose_beginning(assignment)


@receiver(time_passed)
def send_daily(**_signal: Any) -> None:
    """Sends the digests that are due, where the installation sends any."""
    send_if_due()

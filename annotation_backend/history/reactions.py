"""Receivers of signals: roles that are given and taken become events."""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from annotation_backend.history.models import EventKind
from annotation_backend.history.recording import record
from annotation_backend.studies.models import Membership


@receiver(post_save, sender=Membership)
def role_was_given(*, instance: Membership, raw: bool = False, **_signal: Any) -> None:
    """Keeps who got which role in a study; who gave it is not known to a command."""
    if not raw:
        detail = {"role": instance.role}
        record(EventKind.ROLE_GIVEN, None, study=instance.study, about=instance.person, detail=detail)


@receiver(post_delete, sender=Membership)
def role_was_taken(*, instance: Membership, **_signal: Any) -> None:
    """Keeps who lost which role in a study."""
    detail = {"role": instance.role}
    record(EventKind.ROLE_TAKEN, None, study=instance.study, about=instance.person, detail=detail)

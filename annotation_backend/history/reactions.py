"""Receivers of signals: who opens a case's page has seen it."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.cases.signals import case_opened
from annotation_backend.history.models import EventKind
from annotation_backend.history.recording import record


@receiver(case_opened)
def page_was_opened(*, case: Case, person: User, page: str, **_signal: Any) -> None:
    """Keeps who opened which page of a case."""
    record(EventKind.PAGE_OPENED, person, case=case, detail={"page": page})

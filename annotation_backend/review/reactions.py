"""Receivers of signals from the apps below: a change ends a verdict."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.cases.models import Case
from annotation_backend.cases.signals import shown_changed
from annotation_backend.labeling.signals import saves_settled
from annotation_backend.review.endings import end_what_changed


@receiver([shown_changed, saves_settled])
def end_verdict(*, case: Case, **_signal: Any) -> None:
    """Ends the case's verdict if its record has changed."""
    end_what_changed(case)

"""Ends sessions when their case is excluded or taken back."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.cases.models import Case
from annotation_backend.cases.signals import case_excluded, case_taken_back
from annotation_backend.inference.sessions.sessions import end_sessions


@receiver([case_excluded, case_taken_back])
def end_prompts(*, case: Case, **_signal: Any) -> None:
    """Ends all sessions on an excluded case; one that is taken back starts without prompts."""
    end_sessions(case)

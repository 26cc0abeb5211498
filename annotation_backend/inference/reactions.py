"""What prompts and sessions do when something happens to their case."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.cases.models import Case
from annotation_backend.cases.signals import case_excluded, case_taken_back
from annotation_backend.inference.sessions.sessions import end_sessions


@receiver([case_excluded, case_taken_back])
def end_prompts(*, case: Case, **_signal: Any) -> None:
    """Nobody's prompts on an excluded case go on, and one that is taken back begins anew."""
    end_sessions(case)

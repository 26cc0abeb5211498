"""Receivers of signals: a new study is given the shipped models that fit it."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.registry.shipped import offer_defaults, registered_shipped
from annotation_backend.studies.models import Study
from annotation_backend.studies.signals import study_created


@receiver(study_created)
def offer_models(*, study: Study, **_signal: Any) -> None:
    """Lets those that are registered serve; `up` registers them and offers them again."""
    offer_defaults(study, registered_shipped())

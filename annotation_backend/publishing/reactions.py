"""Receivers of signals: errata of withdrawn patients are over, and what lies beside releases is looked after."""

import time
from typing import Any

from django.dispatch import receiver

from annotation_backend.cases.models import Withdrawal
from annotation_backend.cases.signals import patient_withdrawn
from annotation_backend.labeling.signals import time_passed
from annotation_backend.publishing.correcting.beside_releases import tell_beside
from annotation_backend.publishing.correcting.steps import step
from annotation_backend.publishing.models import Erratum
from annotation_backend.studies.models import Study
from datasets.release.correcting.errata_file import OPEN_STATES, ErratumState

LOOK_SECONDS = 300.0
"""How often the reconciler looks after what lies beside releases: a crash may have come before it was written."""

_looked = [float("-inf")]


@receiver(patient_withdrawn)
def end_errata(*, withdrawal: Withdrawal, **_signal: Any) -> None:
    """Ends the errata of a withdrawn patient: nothing of theirs is corrected any more."""
    for erratum in Erratum.objects.filter(case__patient=withdrawal.patient):
        if erratum.state in OPEN_STATES:
            step(erratum, ErratumState.WITHDRAWN, person=withdrawal.person)


@receiver(time_passed)
def look_beside_releases(**_signal: Any) -> None:
    """Makes what lies beside releases what it should be, every now and then."""
    if time.monotonic() - _looked[0] < LOOK_SECONDS:
        return
    _looked[0] = time.monotonic()
    for study in Study.objects.all():
        tell_beside(study)

"""Jobs of a case: registering it again, as a person asked on its page. Each is safe to run twice."""

import logging

from django.utils import timezone
from django_tasks import task

from annotation_backend.cases.models import RedoState, RegistrationRedo
from annotation_backend.cases.registration.export import export_case
from annotation_backend.cases.registration.register import doubts_about, register_cases, settings_of
from datasets.errors import MaskloopError

logger = logging.getLogger(__name__)


@task()
def register_again(*, redo_id: int) -> bool:
    """Registers a case again as a person asked, and draws its pictures anew where it had some.

    Returns:
        Whether there is a new registration.
    """
    redo = RegistrationRedo.objects.select_related("case").filter(pk=redo_id).first()
    if redo is None or redo.state in (RedoState.DONE, RedoState.FAILED):
        logger.warning("redo %d is gone or done; its job has nothing to do", redo_id)
        return False
    _set(redo, RedoState.RUNNING)
    try:
        settings = settings_of(redo.preset, redo.motion)
        report = register_cases([redo.case], settings=settings, again=True, role=redo.role or None, workers=1)
        if report.done and redo.case.slices.exists() and not doubts_about(redo.case):
            export_case(redo.case)
    except MaskloopError as error:
        _set(redo, RedoState.FAILED, str(error))
        return False
    except BaseException as error:
        _set(redo, RedoState.FAILED, f"It broke off: {type(error).__name__}.")
        raise
    _set(redo, RedoState.DONE if report.done else RedoState.FAILED, " ".join(map(str, report.findings)))
    return bool(report.done)


def give_up_redo(redo_id: int) -> None:
    """Notes that a registration is not tried again, because workers died of it."""
    for redo in RegistrationRedo.objects.filter(pk=redo_id, state__in=(RedoState.QUEUED, RedoState.RUNNING)):
        _set(redo, RedoState.FAILED, "The worker died of it each time; see data/logs/worker.log.")


def _set(redo: RegistrationRedo, state: RedoState, finding: str = "") -> None:
    redo.state, redo.finding = state, finding
    redo.ended = timezone.now() if state in (RedoState.DONE, RedoState.FAILED) else None
    redo.save(update_fields=["state", "finding", "ended"])

"""Signs that a person works on a task in Label Studio, from what its door asks about each of their requests."""

from datetime import timedelta

from django.utils.timezone import now

from annotation_backend.accounts.models import User
from annotation_backend.history.models import Event, EventKind
from annotation_backend.history.recording import record
from annotation_backend.labeling.models import LabelingTask

EVERY = timedelta(seconds=20)
"""Of one person's requests for one task, one within this time is kept."""

OPENED_AGAIN_AFTER = timedelta(minutes=10)
"""A task that is asked for after so long without a sign of work is opened again."""

_KINDS = (EventKind.TASK_OPENED, EventKind.TASK_ACTIVE)


def keep_sign_of_work(person: User, task: LabelingTask) -> Event | None:
    """Records that a person asked for something of a task: that they opened it, or that they work on it.

    Args:
        person: The person.
        task: With its case and study.

    Returns:
        The event; None where the last one is too recent to say anything new.
    """
    theirs = Event.objects.filter(study=task.case.study, person=person, created__gt=now() - OPENED_AGAIN_AFTER)
    last = theirs.filter(kind__in=_KINDS).order_by("-created", "-pk").first()
    is_same = last is not None and (last.case_id, last.slice_index) == (task.case_id, task.slice_index)
    if is_same and last is not None and last.created > now() - EVERY:
        return None
    kind = EventKind.TASK_ACTIVE if is_same else EventKind.TASK_OPENED
    return record(kind, person, case=task.case, slice_index=task.slice_index)

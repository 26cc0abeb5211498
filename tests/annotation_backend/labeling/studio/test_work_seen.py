"""Signs of work on a task: opened, worked on, and opened again after a while; not one for each request."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.history.models import Event, EventKind
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.studio.work_seen import keep_sign_of_work
from tests.annotation_backend.support.records import accounts, published, registered_case

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    """An annotator."""
    return accounts()[Role.ANNOTATOR]


@pytest.fixture
def tasks() -> list[LabelingTask]:
    """The tasks of a case."""
    return list(published(registered_case()))


def _before(person: User, task: LabelingTask, seconds: float) -> None:
    kind, at = EventKind.TASK_OPENED, now() - timedelta(seconds=seconds)
    Event.objects.create(
        study=task.case.study, case=task.case, slice_index=task.slice_index, person=person, kind=kind, created=at
    )


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [(5, None), (30, EventKind.TASK_ACTIVE), (599, EventKind.TASK_ACTIVE), (601, EventKind.TASK_OPENED)],
)
def test_what_a_request_says_depends_on_the_last_one(
    person: User, tasks: list[LabelingTask], seconds: float, kind: EventKind | None
) -> None:
    _before(person, tasks[0], seconds)
    made = keep_sign_of_work(person, tasks[0])
    assert (made.kind if made else None) == kind


def test_another_slice_and_another_person_are_something_new(person: User, tasks: list[LabelingTask]) -> None:
    _before(person, tasks[0], 1)
    other = User.objects.create_user("other@hospital.org")
    made = [keep_sign_of_work(person, tasks[1]), keep_sign_of_work(other, tasks[0])]
    assert [one.kind for one in made if one] == [EventKind.TASK_OPENED] * 2
    assert made[0] is not None
    assert made[0].slice_index == tasks[1].slice_index

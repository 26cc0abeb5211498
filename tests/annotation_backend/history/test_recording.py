"""Events: what is recorded, and that neither the model nor the database changes one."""

import pytest
from django.db import DatabaseError, connection, transaction

from annotation_backend.accounts.models import Role, User
from annotation_backend.history.models import Event, EventKind
from annotation_backend.history.recording import record
from tests.annotation_backend.support.records import accounts, registered_case

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    """An annotator of the first study."""
    return accounts()[Role.ANNOTATOR]


@pytest.fixture
def event(person: User) -> Event:
    """One event on a case."""
    made = record(EventKind.DRAFT, person, case=registered_case(), stage="drawing", slice_index=3)
    assert made is not None
    return made


def test_an_event_says_who_did_what_where(event: Event, person: User) -> None:
    assert (event.person, event.case.code, event.study, event.stage, event.slice_index) == (
        person, "C0001", event.case.study, "drawing", 3,
    )  # fmt: skip


def test_it_is_neither_changed_nor_removed(event: Event) -> None:
    for change in (event.save, event.delete, Event.objects.all().delete, lambda: Event.objects.update(kind="draft")):
        with pytest.raises(TypeError, match="never changes"):
            change()
    with pytest.raises(TypeError):
        Event.objects.bulk_create([event], update_conflicts=True, unique_fields=["id"], update_fields=["kind"])
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE history_event SET kind = 'comment'")
    assert Event.objects.get().kind == EventKind.DRAFT


def test_the_doctors_rehearsal_is_nobodys_work(person: User) -> None:
    case = registered_case()
    case.is_rehearsal = True
    assert record(EventKind.DRAFT, person, case=case) is None
    assert not Event.objects.exists()


@pytest.mark.parametrize("detail", [{"name": "Jane"}, {"page": "x" * 61}])
def test_a_detail_holds_no_free_text(person: User, detail: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="does not belong"):
        record(EventKind.PAGE_OPENED, person, case=registered_case(), detail=detail)


def test_an_event_belongs_to_a_study(person: User) -> None:
    with pytest.raises(ValueError, match="case or a study"):
        record(EventKind.PAGE_OPENED, person)

"""The audit log: what is in it, whom it is for, its filter, its portions, and that a long one asks no more often."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.audit.log import Asked, Place, entries, every_entry
from annotation_backend.audit.sources import SOURCES
from annotation_backend.cases.models import Case
from annotation_backend.history.models import Event, EventKind
from annotation_backend.history.recording import record
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.studies.addresses import page_of
from datasets.errors import RejectedInput
from tests.annotation_backend.support.records import (
    accounts,
    approve,
    published,
    registered_case,
    saved,
    signed_in,
    the_study,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[Role, User]:
    """The first accounts."""
    return accounts()


@pytest.fixture
def mask(people: dict[Role, User]) -> CaseMask:
    """The mask of a case with one save."""
    saved(published(registered_case())[2], person=people[Role.ANNOTATOR].label_studio_id)
    made = assemble(Case.objects.get())
    assert made is not None
    return made


def _log(person: User, /, **query: Any) -> Any:
    return signed_in(person).get(page_of(the_study(), "audit-log"), query)


def test_it_unites_events_and_all_other_records(mask: CaseMask, people: dict[Role, User]) -> None:
    approve(mask, people[Role.RADIOLOGIST])
    record(EventKind.PAGE_OPENED, people[Role.RADIOLOGIST], case=mask.case, detail={"page": "review"})
    found = entries(Asked(the_study()))
    assert found == sorted(found, key=lambda entry: entry.place, reverse=True)
    told = {(entry.kind, entry.person, entry.case, entry.slice_index) for entry in found}
    radiologist, annotator = people[Role.RADIOLOGIST].pk, people[Role.ANNOTATOR].pk
    assert {
        ("event", radiologist, "C0001", None),
        ("save", annotator, "C0001", 2),
        ("verdict", radiologist, "C0001", None),
        ("protocol", None, "", None),
    } <= told
    assert next(one.words for one in found if one.kind == "event") == "Opened a page: page review"


def test_open_pages_are_left_out_unless_they_are_asked_for(mask: CaseMask, people: dict[Role, User]) -> None:
    record(EventKind.PAGE_ACTIVE, people[Role.RADIOLOGIST], case=mask.case)
    assert not [one for one in entries(Asked(the_study())) if one.kind == "event"]
    assert len(entries(Asked(the_study(), kind="event:page-active"))) == 1


def test_it_is_filtered_by_person_case_kind_and_time(mask: CaseMask, people: dict[Role, User]) -> None:
    study, annotator = the_study(), people[Role.ANNOTATOR]
    other = registered_case("C0002")
    record(EventKind.DRAFT, annotator, case=other)
    assert {one.person for one in entries(Asked(study, person=annotator.pk))} == {annotator.pk}
    assert {one.case for one in entries(Asked(study, case=other.pk))} == {"C0002"}
    assert {one.kind for one in entries(Asked(study, kind="save"))} == {"save"}
    assert entries(Asked(study, since=now() + timedelta(days=1))) == []
    assert entries(Asked(study, until=now() - timedelta(days=1), kind="save")) == []


def test_portions_follow_each_other_without_a_gap_or_a_repetition(people: dict[Role, User]) -> None:
    """Also where many entries have one time, and sources meet in it."""
    case, at = registered_case(), now()
    rows = [
        Event(study=case.study, case=case, person=people[Role.ANNOTATOR], kind="draft", created=at) for _ in range(23)
    ]
    Event.objects.bulk_create(rows)
    whole = entries(Asked(the_study()), count=1000)
    assert len(whole) >= 24
    assert list(every_entry(Asked(the_study()), portion=5)) == whole
    assert [Place.read(str(entry.place)) for entry in whole] == [entry.place for entry in whole]


@pytest.mark.parametrize("text", ["x", "2026-13-40T00:00:00Z-1-1", "2026-01-01T00:00:00Z-1", "' OR 1=1"])
def test_a_place_that_is_none_is_refused(text: str, people: dict[Role, User]) -> None:
    with pytest.raises(RejectedInput, match="audit-place"):
        Place.read(text)
    assert _log(people[Role.DATA_MANAGER], before=text).status_code == 400


@pytest.mark.parametrize("query", [{"case": "C9999"}, {"person": "9999"}, {"kind": "no"}, {"since": "soon"}])
def test_a_filter_that_cannot_be_read_is_answered_by_name(query: dict[str, str], people: dict[Role, User]) -> None:
    answer = _log(people[Role.DATA_MANAGER], **query)
    assert answer.status_code == 400
    assert "errorlist" in answer.content.decode()


def test_it_is_for_data_managers_and_administrators(people: dict[Role, User], mask: CaseMask) -> None:
    for name in ("audit-log", "audit-csv", "active-time-csv"):
        status = {role: signed_in(one).get(page_of(the_study(), name)).status_code for role, one in people.items()}
        assert status == {
            Role.ADMINISTRATOR: 200, Role.DATA_MANAGER: 200, Role.RADIOLOGIST: 403, Role.ANNOTATOR: 403,
        }  # fmt: skip


def test_no_address_of_a_person_is_in_it(mask: CaseMask, people: dict[Role, User]) -> None:
    approve(mask, people[Role.RADIOLOGIST])
    page = _log(people[Role.DATA_MANAGER]).content.decode()
    assert f"Radiologist {people[Role.RADIOLOGIST].pk}" in page
    assert "@" not in page.replace("@media", "")


def test_a_long_log_asks_as_often_as_a_short_one(
    people: dict[Role, User], mask: CaseMask, django_assert_num_queries: Any
) -> None:
    manager = signed_in(people[Role.DATA_MANAGER])
    address = page_of(the_study(), "audit-log")
    manager.get(address)
    counts = len(SOURCES) + 6
    with django_assert_num_queries(counts):
        manager.get(address)
    for number in range(2, 12):
        record(EventKind.DRAFT, people[Role.ANNOTATOR], case=registered_case(f"C{number:04d}"))
    with django_assert_num_queries(counts):
        manager.get(address)


def test_the_csv_holds_all_of_it_and_is_an_entry_itself(mask: CaseMask, people: dict[Role, User]) -> None:
    manager = signed_in(people[Role.DATA_MANAGER])
    answer = manager.get(page_of(the_study(), "audit-csv"), {"kind": "save"})
    lines = list(csv.reader(io.StringIO(answer.getvalue().decode())))
    assert lines[0] == ["time (UTC)", "kind", "person", "case", "stage", "slice", "what"]
    assert lines[1][1:] == ["save", f"Annotator {people[Role.ANNOTATOR].pk}", "C0001", "", "2", "Saved version 1"]
    assert Event.objects.get().kind == EventKind.AUDIT_DOWNLOADED


def test_an_open_page_says_that_its_person_works(mask: CaseMask, people: dict[Role, User]) -> None:
    address = page_of(the_study(), "activity")
    client = signed_in(people[Role.RADIOLOGIST])
    for sign in ("active", "idle"):
        assert client.post(address, {"sign": sign, "case": "C0001", "page": "review"}).status_code == 204
    assert [(one.kind, one.person, one.case.code) for one in Event.objects.all()] == [
        (EventKind.PAGE_ACTIVE, people[Role.RADIOLOGIST], "C0001"),
        (EventKind.PAGE_IDLE, people[Role.RADIOLOGIST], "C0001"),
    ]
    for wrong in ({"sign": "x"}, {"page": "x"}):
        assert client.post(address, {"sign": "active", "case": "C0001", "page": "review"} | wrong).status_code == 400
    assert client.post(address, {"sign": "active", "case": "C9", "page": "review"}).status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(people[Role.RADIOLOGIST])
    assert strict.post(address, {"sign": "active", "case": "C0001", "page": "review"}).status_code == 403
    assert client.post(address, {"sign": "active", "case": "C0001", "page": "review"}).status_code == 204
    assert Event.objects.count() == 2, "one that comes at once says nothing new"

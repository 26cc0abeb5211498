"""Long lists come in portions: each row on one page, found by its code, in as many queries for many as for few."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.history.models import EventKind
from annotation_backend.history.recording import record
from annotation_backend.labeling.models import AnnotationFinding, CaseMask, FindingKind
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.models import Review
from annotation_backend.review.queue_order import waiting_behind, waiting_first
from annotation_backend.studies.portions import PORTION
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, signed_in, the_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[Role, User]:
    """The first accounts."""
    return accounts()


@pytest.fixture
def manager(people: dict[Role, User]) -> Client:
    """A data manager's browser."""
    return signed_in(people[Role.DATA_MANAGER])


def _drawn(number: int, person: User) -> CaseMask:
    case = registered_case(f"C{number:04d}")
    save = saved(published(case, first_task=10 * number)[2], person=person.label_studio_id, identifier=number)
    AnnotationFinding.objects.create(annotation=save, kind=FindingKind.LABEL, label="Oedema")
    made = assemble(case)
    assert made is not None
    return made


def _rows(client: Client, address: str, count: int) -> None:
    """As many cases as those of one portion and `count` more, by records alone."""
    first = Case.objects.get(code="C0001")
    for number in range(2, PORTION + count + 1):
        first.pk, first.code, first.source_sha256 = None, f"C{number:04d}", str(number)
        first.save(force_insert=True)


def test_each_case_is_on_one_page_and_is_found_by_its_code(manager: Client) -> None:
    registered_case()
    _rows(manager, page_at("case-list"), 3)
    pages = [manager.get(page_at("case-list"), {"page": page}).content.decode() for page in (1, 2)]
    shown = [[code for code in (f"C{n:04d}" for n in range(1, PORTION + 4)) if f">{code}<" in page] for page in pages]
    assert [len(codes) for codes in shown] == [PORTION, 3]
    assert len({*shown[0], *shown[1]}) == PORTION + 3
    assert 'rel="next" href="?page=2"' in pages[0]
    assert 'rel="prev" href="?page=1"' in pages[1]
    found = manager.get(page_at("case-list"), {"find": "c0052"}).content.decode()
    assert ">C0052<" in found
    assert ">C0001<" not in found
    assert "No case or patient has" in manager.get(page_at("case-list"), {"find": "<b>"}).content.decode()
    assert "<b>”" not in manager.get(page_at("case-list"), {"find": "<b>"}).content.decode()
    for odd in ("0", "-1", "x", "999"):
        assert manager.get(page_at("case-list"), {"page": odd}).status_code == 200


@pytest.mark.parametrize(
    "name", ["review-queue", "finding-list", "home", "study", "dashboard", "audit-log", "model-list"]
)
def test_a_page_asks_as_often_for_many_cases_as_for_one(
    name: str, manager: Client, people: dict[Role, User], django_assert_num_queries: Any
) -> None:
    address = "/" if name == "home" else page_at(name)
    _drawn(1, people[Role.ANNOTATOR])
    record(EventKind.DRAFT, people[Role.ANNOTATOR], case=Case.objects.get())
    manager.get(address)
    with CaptureQueriesContext(connection) as few:
        assert manager.get(address).status_code == 200
    asked = len(few)
    for number in range(2, 8):
        mask = _drawn(number, people[Role.ANNOTATOR])
        record(EventKind.DRAFT, people[Role.ANNOTATOR], case=mask.case)
    manager.get(address)
    with django_assert_num_queries(asked):
        manager.get(address)


def test_those_that_wait_come_first(people: dict[Role, User]) -> None:
    masks = [_drawn(number, people[Role.ANNOTATOR]) for number in (1, 2, 3)]
    Review.objects.create(
        mask=masks[0], reviewer=people[Role.RADIOLOGIST], verdict="return", quality_score="sufficient"
    )
    assert [(case.code, case.waits) for case in waiting_first(the_study())] == [
        ("C0002", True), ("C0003", True), ("C0001", False),
    ]  # fmt: skip
    behind = [case.code for portion in waiting_behind(the_study(), masks[1].case) for case in portion]
    assert behind == ["C0003"]
    behind = [case.code for portion in waiting_behind(the_study(), masks[2].case) for case in portion]
    assert behind == ["C0002"]

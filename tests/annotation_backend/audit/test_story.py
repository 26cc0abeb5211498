"""A case's story on its page: what is told, to whom, and in a constant number of queries."""

from typing import Any

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.audit.story import story_of
from annotation_backend.cases.models import Case
from annotation_backend.history.kept import KeptQuerySet
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.models import Review
from annotation_backend.stages.models import CaseStage, Reading, StageState, Transition
from annotation_backend.studies.addresses import page_of
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[Role, User]:
    """The first accounts."""
    return accounts()


@pytest.fixture
def mask(people: dict[Role, User]) -> CaseMask:
    """The mask of a case with two slices drawn by one person."""
    tasks = published(registered_case())
    for index in (1, 2):
        saved(tasks[index], person=people[Role.ANNOTATOR].label_studio_id, identifier=index)
    made = assemble(Case.objects.get())
    assert made is not None
    return made


def test_it_tells_in_order_what_happened(mask: CaseMask, people: dict[Role, User]) -> None:
    Review.objects.create(
        mask=mask, reviewer=people[Role.RADIOLOGIST], verdict="return", quality_score="insufficient", comment="too wide"
    )
    steps = story_of(Case.objects.get(), is_reader=True, is_manager=True)
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    words = [(step.words, step.person, step.comment) for step in steps]
    assert ("Came in", None, "") in words
    assert ("2 slices drawn", people[Role.ANNOTATOR].pk, "") in words
    assert ("Returned, insufficient", people[Role.RADIOLOGIST].pk, "too wide") in words


def test_people_go_by_role_and_number(mask: CaseMask, people: dict[Role, User]) -> None:
    page = signed_in(people[Role.ANNOTATOR]).get(page_of(mask.case.study, "case-page", "C0001")).content.decode()
    assert f"2 slices drawn, Annotator {people[Role.ANNOTATOR].pk}" in page
    assert people[Role.ANNOTATOR].username not in page


def test_an_approvals_comment_is_for_reviewers(mask: CaseMask, people: dict[Role, User]) -> None:
    Review.objects.create(
        mask=mask, reviewer=people[Role.RADIOLOGIST], verdict="approve", quality_score="sufficient", comment="hm"
    )
    told = {reader: story_of(Case.objects.get(), is_reader=reader, is_manager=False) for reader in (True, False)}
    assert [any(step.comment == "hm" for step in told[reader]) for reader in (True, False)] == [True, False]


def test_readers_hear_neither_of_each_other_nor_of_control_cases(mask: CaseMask, people: dict[Role, User]) -> None:
    case, annotator = Case.objects.get(), people[Role.ANNOTATOR]
    row = CaseStage.objects.create(case=case, stage="blind")
    reading = Reading.objects.create(row=row, person=annotator, seat=1)
    save = saved(case.labeling_tasks.get(slice_index=3), person=annotator.label_studio_id, identifier=3)
    with_reading = type(save).objects.filter(pk=save.pk)
    super(KeptQuerySet, with_reading).update(reading=reading)
    control = CaseStage.every.create(case=case, stage="drawing", is_control=True)
    Transition.objects.create(row=control, state=StageState.OPEN, why="a control")

    def told(*, is_manager: bool) -> tuple[str | None, bool]:
        steps = story_of(case, is_reader=True, is_manager=is_manager)
        drawn = next((step.words for step in steps if step.words.endswith("drawn")), None)
        return drawn, any(step.comment == "a control" for step in steps)

    assert told(is_manager=True) == ("3 slices drawn", True)
    assert told(is_manager=False) == ("2 slices drawn", False)


def test_a_long_story_asks_as_often_as_a_short_one(
    mask: CaseMask, people: dict[Role, User], django_assert_num_queries: Any
) -> None:
    case, queries = Case.objects.get(), 12
    with django_assert_num_queries(queries):
        story_of(Case.objects.get(pk=case.pk), is_reader=True, is_manager=False)
    row = CaseStage.objects.create(case=case, stage="drawing")
    for number in range(10):
        Transition.objects.create(row=row, state=StageState.OPEN, why=str(number))
        Review.objects.create(mask=mask, reviewer=people[Role.RADIOLOGIST], verdict="return", quality_score="excellent")
    with django_assert_num_queries(queries):
        story_of(Case.objects.get(pk=case.pk), is_reader=True, is_manager=False)


def test_it_is_on_the_page_of_a_case(mask: CaseMask, people: dict[Role, User]) -> None:
    client: Client = signed_in(people[Role.RADIOLOGIST])
    page = client.get(page_of(mask.case.study, "case-page", "C0001")).content.decode()
    assert "What happened" in page
    assert '<ol class="story">' in page

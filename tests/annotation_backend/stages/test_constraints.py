"""What the database refuses, whatever code asks for it."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.stages.flow import begin
from annotation_backend.stages.models import AssignedSlice, Assignment, CaseStage, Reading
from tests.annotation_backend.stages.world import bare_case, study_of, worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> CaseStage:
    return begin(bare_case(study_of("t1")))[0]


@pytest.fixture
def people(row: CaseStage) -> list[User]:
    return [worker(row.case.study, Role.ANNOTATOR, number) for number in (1, 2)]


def _refused(make: Any, **values: Any) -> str:
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        make.objects.create(**values)
    return str(error.value)


def test_a_stage_is_open_once_and_each_round_is_one_row(row: CaseStage) -> None:
    same = {"case": row.case, "stage": row.stage}
    _refused(CaseStage, **same, round=2)
    _refused(CaseStage, **same, round=1, state="done", closed_at=now())
    _refused(CaseStage, **same, round=0, state="done", closed_at=now())


def test_a_stage_has_a_closing_time_exactly_when_it_is_closed(row: CaseStage) -> None:
    _refused(CaseStage, case=row.case, stage="review", state="done")
    _refused(CaseStage, case=row.case, stage="review", closed_at=now())


def test_an_assignment_has_an_end_exactly_when_it_is_over_and_seats_begin_at_one(
    row: CaseStage, people: list[User]
) -> None:
    own = {"row": row, "person": people[0], "how": "hand"}
    _refused(Assignment, **own, state="done")
    _refused(Assignment, **own, ended_at=now())
    _refused(Assignment, **own, seat=0)


def test_two_people_never_hold_one_slice_in_a_seat_and_nobody_two_seats_of_it(
    row: CaseStage, people: list[User]
) -> None:
    one, other = (Assignment.objects.create(row=row, person=person, how="claim") for person in people)
    held = {"row": row, "slice_index": 3}
    first = AssignedSlice.objects.create(assignment=one, person=people[0], seat=1, **held)
    _refused(AssignedSlice, assignment=other, person=people[1], seat=1, **held)
    _refused(AssignedSlice, assignment=one, person=people[0], seat=2, **held)
    AssignedSlice.objects.create(assignment=other, person=people[1], seat=2, **held)
    first.is_held = False
    first.save()
    AssignedSlice.objects.create(assignment=one, person=people[0], seat=1, **held)
    _refused(AssignedSlice, assignment=one, person=people[0], seat=1, row=row, slice_index=-2)


def test_a_person_has_one_reading_of_a_stage_and_hands_it_in_after_it_began(row: CaseStage, people: list[User]) -> None:
    Reading.objects.create(row=row, person=people[0], seat=1)
    _refused(Reading, row=row, person=people[0], seat=2)
    _refused(Reading, row=row, person=people[1], seat=2, handed_in_at=now() - (now() - row.case.created) * 1000)

"""Claims, hand-ins, lapses, saves, roles and lots at the same moment, on a database that threads share."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import close_person
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import Annotation, LabelingTask
from annotation_backend.stages.assigning import assign, give_back, hand_in, lapse
from annotation_backend.stages.flow import begin, finish, follow
from annotation_backend.stages.leases import keep_order, note_work
from annotation_backend.stages.models import AssignedSlice, Assignment, CaseStage
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import take_role
from annotation_backend.work.taking.claiming import claim_next
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import bare_case, drawn, row_of, study_of, worker
from tests.annotation_backend.support.on_disk import at_once, database_on_disk, in_a_thread
from tests.annotation_backend.support.records import saved
from tests.annotation_backend.work.test_claiming import PIECE

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 3
CLAIM = AssignedBy.CLAIM


@pytest.fixture(autouse=True)
def on_disk(tmp_path: Path, settings) -> Iterator[None]:
    settings.DATA_FOLDER = tmp_path / "data"
    with database_on_disk(tmp_path / "maskloop.sqlite3"):
        yield


def _pieces() -> tuple[Study, list[User]]:
    """Two cases of five slices, claimed by twos, and six annotators."""
    stages = PIECE.replace('does = "draw"', 'does = "draw"\nunit = "slice"\npiece = 2')
    study = study_of("t1", "pieces", stages=stages)
    for number in (1, 2):
        begin(bare_case(study, number))
    return study, [worker(study, Role.ANNOTATOR, number) for number in range(1, 7)]


def _adjacent(number: int = 1) -> tuple[CaseStage, list[User]]:
    study = study_of("mstt-199-staged", f"staged-{number}")
    people = [worker(study, Role.ANNOTATOR, one) for one in (1, 2)]
    case = bare_case(study)
    follow(case, drawn([2]))
    return row_of(case, "adjacent"), people


def _open() -> list[Assignment]:
    return list(Assignment.objects.filter(state="open").select_related("person"))


def test_six_claims_at_once_share_what_there_is_and_nobody_has_anothers_slice() -> None:
    study, people = in_a_thread(_pieces)
    outcomes = at_once(*(lambda person=person: claim_next(study, person) for person in people))
    assert all(isinstance(one, Assignment) for one in outcomes), outcomes
    held = in_a_thread(lambda: list(AssignedSlice.objects.filter(is_held=True).values_list("row", "slice_index")))
    assert len(held) == len(set(held)) == 10, "two cases of five slices, none twice and none left"
    per_person = in_a_thread(lambda: [one.slices.count() for one in _open()])
    assert sorted(per_person) == [1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_of_two_leases_on_one_slice_at_once_one_is_given(number: int) -> None:
    row, (anna, bert) = in_a_thread(lambda: _adjacent(number))
    outcomes = at_once(lambda: assign(row, anna, [1, 3], how=CLAIM), lambda: assign(row, bert, [3, 4], how=CLAIM))
    assert sorted(isinstance(one, Assignment) for one in outcomes) == [False, True]
    assert "slice-taken" in outcomes
    assert in_a_thread(lambda: len(_open())) == 1


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_a_claim_while_another_is_handed_in_is_part_of_the_stage_or_comes_too_late(number: int) -> None:
    row, (anna, bert) = in_a_thread(lambda: _adjacent(number))
    first = in_a_thread(lambda: assign(row, anna, [1], how=CLAIM))
    opened, claim = at_once(lambda: hand_in(first), lambda: assign(row, bert, [4], how=CLAIM))
    is_open = in_a_thread(lambda: CaseStage.objects.get(pk=row.pk).is_open)
    if isinstance(claim, Assignment):
        assert (opened, is_open) == ([], True), "the stage waits for the one who came in time"
        assert [one.stage for one in in_a_thread(lambda: hand_in(claim))] == ["review"]
    else:
        assert (claim, [one.stage for one in opened], is_open) == ("stage-closed", ["review"], False)


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_a_save_while_the_lease_lapses_is_kept_and_the_piece_is_free(number: int) -> None:
    def late() -> tuple[LabelingTask, Assignment]:
        row, (anna, _) = _adjacent(number)
        assignment = assign(row, anna, [1], how=CLAIM)
        Assignment.objects.update(lease_until=now() - timedelta(seconds=1))
        return row.case.labeling_tasks.select_related("case__study", "project").get(slice_index=1), assignment

    task, assignment = in_a_thread(late)
    number_there = assignment.person.label_studio_id
    save, count = at_once(lambda: saved(task, person=number_there), lapse)
    assert isinstance(save, Annotation)
    assert count == 1
    assert in_a_thread(lambda: Assignment.objects.get().state) == "lapsed"
    assert in_a_thread(lambda: Annotation.objects.get().author) == assignment.person, "what was drawn keeps its name"


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_a_sign_of_work_and_a_look_for_old_leases_leave_one_of_them(number: int) -> None:
    def nearly() -> Assignment:
        row, (anna, _) = _adjacent(number)
        assignment = assign(row, anna, [1], how=CLAIM)
        Assignment.objects.update(lease_until=now() + timedelta(milliseconds=30))
        return assignment

    assignment = in_a_thread(nearly)
    renewed, count = at_once(lambda: note_work(assignment.person, assignment.row.case, 1), lapse)
    state = in_a_thread(lambda: Assignment.objects.get().state)
    assert (renewed, count, state) in [(1, 0, "open"), (0, 1, "lapsed"), (0, 0, "open")]


def test_leases_that_ran_out_are_ended_once_however_many_look() -> None:
    def late() -> None:
        row, people = _adjacent()
        for person, index in zip(people, (1, 3), strict=True):
            assign(row, person, [index], how=CLAIM)
        Assignment.objects.update(lease_until=now() - timedelta(seconds=1))

    in_a_thread(late)
    assert sum(at_once(*[lapse] * 4)) == 2


def test_what_is_given_back_while_another_claims_it_is_one_persons() -> None:
    row, (anna, bert) = in_a_thread(_adjacent)
    first = in_a_thread(lambda: assign(row, anna, [1], how=CLAIM))
    _, claim = at_once(lambda: give_back(first), lambda: assign(row, bert, [1], how=CLAIM))
    open_ones = in_a_thread(_open)
    assert [one.person for one in open_ones] == ([bert] if isinstance(claim, Assignment) else [])


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
@pytest.mark.parametrize("how", ["role taken", "account closed"])
def test_who_leaves_while_they_claim_has_nothing_open(number: int, how: str) -> None:
    row, (anna, _) = in_a_thread(lambda: _adjacent(number))

    def leave() -> None:
        if how == "role taken":
            take_role(row.case.study, anna)
        else:
            close_person(User.objects.get(pk=anna.pk))

    at_once(leave, lambda: assign(row, anna, [1], how=CLAIM))
    assert in_a_thread(_open) == []


def test_reviews_that_open_at_once_are_balanced() -> None:
    def ready() -> list[Case]:
        study = study_of("mstt-199-staged", "lots")
        cases = [bare_case(study, one) for one in range(1, 5)]
        for case in cases:
            follow(case, drawn([2]))
        for one in (1, 2):
            worker(study, Role.RADIOLOGIST, one)
        return cases

    cases = in_a_thread(ready)
    at_once(*(lambda case=case: finish(row_of(case, "adjacent")) for case in cases))
    people = in_a_thread(lambda: [one.person_id for one in _open()])
    assert sorted(people.count(one) for one in set(people)) == [2, 2]


def test_a_look_by_two_reconcilers_gives_nothing_out_twice() -> None:
    def ready() -> None:
        study = study_of("mstt-199-staged", "lots")
        case = bare_case(study)
        follow(case, drawn([2]))
        finish(row_of(case, "adjacent"))
        for one in (1, 2, 3):
            worker(study, Role.RADIOLOGIST, one)

    in_a_thread(ready)
    at_once(keep_order, keep_order, keep_order)
    assert in_a_thread(lambda: len(_open())) == 1

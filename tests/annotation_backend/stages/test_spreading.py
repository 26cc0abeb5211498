"""Work that people get by itself: drawn at random and balanced, or by load; never to whoever drew."""

from collections import Counter

import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.stages.assigning import assign, give_back
from annotation_backend.stages.flow import finish, follow
from annotation_backend.stages.leases import keep_order
from annotation_backend.stages.models import Assignment, CaseStage
from annotation_backend.stages.spreading import spread
from annotation_backend.studies.models import Study
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import bare_case, drawn, row_of, study_of, worker

pytestmark = pytest.mark.django_db


def _to_review(study: Study, number: int) -> CaseStage:
    case = bare_case(study, number)
    follow(case, drawn([2]))
    finish(row_of(case, "adjacent"))
    return row_of(case, "review")


def test_reviews_are_drawn_at_random_and_nobody_has_two_more_than_another() -> None:
    study = study_of("mstt-199-staged")
    for number in range(1, 4):
        worker(study, Role.RADIOLOGIST, number)
    first = []
    for number in range(1, 13):
        row = _to_review(study, number)
        first.append(Assignment.objects.get(row=row).person_id)
        counts = Counter(Assignment.objects.values_list("person", flat=True))
        assert max(counts.values()) - min(counts.values() if len(counts) == 3 else [0]) <= 1
    assert Counter(first).most_common()[-1][1] == 4
    assert {one.how for one in Assignment.objects.all()} == {"random"}
    assert {one.lease_until for one in Assignment.objects.all()} == {None}


def test_the_lot_falls_on_different_people_in_different_orders() -> None:
    orders = set()
    for number in range(12):
        study = study_of("mstt-199-staged", f"of-{number}")
        people = [worker(study, Role.RADIOLOGIST, one) for one in (1, 2)]
        orders.add(people.index(Assignment.objects.get(row=_to_review(study, 1)).person))
    assert orders == {0, 1}, "one of 2048 runs fails by chance"


def test_who_drew_the_centre_slice_is_drawn_for_no_review_of_it() -> None:
    study = study_of("mstt-199-staged")
    drew, other = (worker(study, Role.RADIOLOGIST, number) for number in (1, 2))
    for number in range(1, 7):
        case = bare_case(study, number)
        follow(case, {})
        assign(row_of(case, "centre"), drew, how=AssignedBy.CLAIM)
        follow(case, drawn([2]))
        finish(row_of(case, "adjacent"))
        assert Assignment.objects.get(row=row_of(case, "review")).person == other


def test_a_review_that_nobody_may_do_waits_and_finds_whoever_comes() -> None:
    study = study_of("mstt-199-staged")
    row = _to_review(study, 1)
    assert not Assignment.objects.filter(row=row).exists()
    late = worker(study, Role.RADIOLOGIST)
    assert keep_order() == 1
    assert Assignment.objects.get(row=row).person == late
    assert keep_order() == 0


def test_a_review_that_was_given_back_finds_another_reader_by_itself() -> None:
    study = study_of("mstt-199-staged")
    worker(study, Role.RADIOLOGIST, 1), worker(study, Role.RADIOLOGIST, 2)
    row = _to_review(study, 1)
    first = Assignment.objects.get(row=row)
    give_back(first)
    assert keep_order() == 1
    assert Assignment.objects.get(row=row, state="open").person != first.person, "not who gave it back"


def test_by_load_it_goes_to_whoever_has_the_least_to_do() -> None:
    study = study_of("mstt-199")
    busy, free = (worker(study, Role.RADIOLOGIST, number) for number in (1, 2))
    cases = [bare_case(study, number) for number in range(1, 5)]
    for case in cases:
        follow(case, drawn([2]))
    for case in cases[:2]:
        assign(row_of(case, "review"), busy, how=AssignedBy.HAND)
    given = [spread(row_of(case, "review"), how=AssignedBy.LOAD)[0].person for case in cases[2:]]
    assert given == [free, free]


def test_every_seat_is_given_to_another_person_as_far_as_there_are_people() -> None:
    from tests.annotation_backend.stages.world import BLIND_PAIR

    study = study_of("t1", stages=BLIND_PAIR.replace("blind = true", 'blind = true\nassignment = "random"'))
    case = bare_case(study)
    one = worker(study, Role.ANNOTATOR, 1)
    follow(case, {})
    assert [each.person for each in Assignment.objects.all()] == [one]
    other = worker(study, Role.ANNOTATOR, 2)
    keep_order()
    assert {(each.person, each.seat) for each in Assignment.objects.all()} == {(one, 1), (other, 2)}
    worker(study, Role.ANNOTATOR, 3)
    assert keep_order() == 0

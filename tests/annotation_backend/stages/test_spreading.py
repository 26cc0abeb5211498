"""Work that people get by itself: drawn at random and balanced, or by load; never to whoever drew."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.stages.assigning import assign, give_back, hand_in, lapse
from annotation_backend.stages.flow import finish, follow, send_back
from annotation_backend.stages.leases import keep_order
from annotation_backend.stages.models import Assignment, CaseStage
from annotation_backend.stages.spreading import spread
from annotation_backend.studies.managing import close_account
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role, make_administrator, take_role
from annotation_backend.work.bulk import give_to
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import bare_case, drawn, row_of, study_of, worker

pytestmark = pytest.mark.django_db

RETURNED = """
[[stages]]
name = "draw"
title = "Drawing"
done_by = "annotator"
does = "draw"
assignment = "random"
opens_next = "hand-in"

[[stages]]
name = "review"
title = "Review"
done_by = "radiologist"
after = ["draw"]
returns_to = "draw"
"""


def _administrator() -> User:
    person = User.objects.create_user("root@hospital.org")
    make_administrator(person)
    return person


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


@pytest.fixture
def stored(django_capture_on_commit_callbacks: Any) -> Any:
    """A block after which what waits for the end of its transaction is done."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.mark.parametrize("why", ["declined", "lapsed", "another role", "left", "account closed"])
def test_a_review_that_somebody_gives_up_finds_another_reader_at_once(stored: Any, why: str) -> None:
    study = study_of("mstt-199-staged")
    people = [worker(study, Role.RADIOLOGIST, number) for number in (1, 2)]
    row = _to_review(study, 1)
    first = Assignment.objects.get(row=row)
    with stored():
        if why == "declined":
            give_back(first)
        elif why == "lapsed":
            Assignment.objects.filter(pk=first.pk).update(lease_until=now() - timedelta(minutes=1))
            lapse()
        elif why == "another role":
            give_role(study, first.person, Role.ANNOTATOR)
        elif why == "left":
            take_role(study, first.person)
        else:
            close_account(first.person, by=_administrator())
    other = next(one for one in people if one != first.person)
    assert Assignment.objects.get(row=row, state="open").person == other
    assert keep_order() == 0, "nothing is left for the reconciler"


def test_who_gave_it_back_gets_it_again_from_the_reconciler_alone_and_only_if_there_is_nobody_else(
    stored: Any,
) -> None:
    study = study_of("mstt-199-staged")
    only = worker(study, Role.RADIOLOGIST)
    row = _to_review(study, 1)
    with stored():
        give_back(Assignment.objects.get(row=row))
    assert not Assignment.objects.filter(row=row, state="open").exists()
    assert keep_order() == 1
    assert Assignment.objects.get(row=row, state="open").person == only


def test_what_a_data_manager_takes_for_somebody_is_theirs_and_nobody_elses(stored: Any) -> None:
    study = study_of("mstt-199-staged")
    people = [worker(study, Role.RADIOLOGIST, number) for number in (1, 2, 3)]
    row = _to_review(study, 1)
    first = Assignment.objects.get(row=row).person
    wanted = next(one for one in people if one != first)
    with stored():
        assert give_to([row], wanted, by=None, takes=True).count == 1
    assert Assignment.objects.get(row=row, state="open").person == wanted


def test_what_is_sent_back_goes_to_whoever_did_it_and_to_another_only_where_they_have_left() -> None:
    study = study_of("t1", stages=RETURNED)
    people = [worker(study, Role.ANNOTATOR, number) for number in range(1, 6)]
    case = bare_case(study)
    follow(case, {})
    first = Assignment.objects.get()
    hand_in(first)
    for _ in range(3):
        send_back(row_of(case, "review"), person=None, why="The edge is wrong")
        again = Assignment.objects.get(row=row_of(case, "draw"), state="open")
        assert (again.person, again.how) == (first.person, "hand"), "five could have been drawn by lot"
        hand_in(again)
    take_role(study, first.person)
    send_back(row_of(case, "review"), person=None, why="The edge is wrong")
    other = Assignment.objects.get(row=row_of(case, "draw"), state="open")
    assert other.person in people
    assert (other.person != first.person, other.how) == (True, "random")


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

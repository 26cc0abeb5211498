"""Pieces of work: leases, hand-in, seats, returns to the same people, and people who leave."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import close_person
from annotation_backend.cases.models import Case
from annotation_backend.stages.assigning import assign, give_back, hand_in, lapse, renew
from annotation_backend.stages.flow import begin, finish, follow, send_back
from annotation_backend.stages.leases import keep_order, note_work
from annotation_backend.stages.models import AssignedSlice, Assignment, CaseStage, Reading
from annotation_backend.stages.permits import permit_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role, take_role
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import (
    ALL,
    BLIND_PAIR,
    bare_case,
    drawn,
    open_stages,
    row_of,
    study_of,
    worker,
)

pytestmark = pytest.mark.django_db

CLAIM, HAND = AssignedBy.CLAIM, AssignedBy.HAND


@pytest.fixture
def study() -> Study:
    return study_of("mstt-199-staged")


@pytest.fixture
def adjacent(study: Study) -> CaseStage:
    """The stage of adjacent slices, open."""
    case = bare_case(study)
    follow(case, drawn([2]))
    return row_of(case, "adjacent")


def _annotators(study: Study, count: int = 2) -> list[User]:
    return [worker(study, Role.ANNOTATOR, number) for number in range(1, count + 1)]


def _run_out(assignment: Assignment) -> None:
    Assignment.objects.filter(pk=assignment.pk).update(lease_until=now() - timedelta(seconds=1))


def test_what_one_has_another_does_not_get_until_it_is_given_back(study: Study, adjacent: CaseStage) -> None:
    anna, bert = _annotators(study)
    first = assign(adjacent, anna, [1, 3], how=CLAIM)
    with pytest.raises(RejectedInput, match="slice-taken"):
        assign(adjacent, bert, [3, 4], how=CLAIM)
    assert AssignedSlice.objects.filter(person=bert).count() == 0, "all or nothing"
    assign(adjacent, bert, [4], how=CLAIM)
    give_back(first)
    assign(adjacent, bert, [3], how=CLAIM)
    with pytest.raises(RejectedInput, match="assignment-ended"):
        give_back(first)


def test_a_claim_has_the_lease_of_its_stage_and_work_by_hand_has_none(study: Study, adjacent: CaseStage) -> None:
    anna, bert = _annotators(study)
    claim, by_hand = assign(adjacent, anna, [1], how=CLAIM), assign(adjacent, bert, [3], how=HAND)
    assert claim.lease_until is not None
    assert timedelta(minutes=59) < claim.lease_until - now() <= timedelta(minutes=60)
    assert by_hand.lease_until is None
    assert renew(by_hand) is None


def test_a_lease_that_ran_out_frees_its_slices_at_the_next_claim_and_what_was_drawn_stays(
    study: Study, adjacent: CaseStage
) -> None:
    anna, bert = _annotators(study)
    late = assign(adjacent, anna, [1, 3], how=CLAIM)
    _run_out(late)
    late.refresh_from_db()
    assert not permit_of(anna, adjacent.case, 1).may_draw, "before anybody looks, too"
    assert renew(late) is None
    assign(adjacent, bert, [1], how=CLAIM)
    late.refresh_from_db()
    assert (late.state, late.ended_at is not None) == ("lapsed", True)
    with pytest.raises(RejectedInput, match="assignment-ended"):
        hand_in(late)


def test_the_reconciler_ends_leases_that_ran_out_and_no_others(study: Study, adjacent: CaseStage) -> None:
    anna, bert = _annotators(study)
    late, other = assign(adjacent, anna, [1], how=CLAIM), assign(adjacent, bert, [3], how=CLAIM)
    _run_out(late)
    assert keep_order() == 1
    assert lapse() == 0
    other.refresh_from_db()
    assert other.is_open


def test_every_sign_of_work_makes_the_lease_begin_again(study: Study, adjacent: CaseStage) -> None:
    anna, bert = _annotators(study)
    claim = assign(adjacent, anna, [1, 3], how=CLAIM)
    soon = now() + timedelta(minutes=2)
    for index, renewed in ((1, 1), (None, 1), (4, 0)):
        Assignment.objects.filter(pk=claim.pk).update(lease_until=soon)
        assert note_work(anna, adjacent.case, index) == renewed
        claim.refresh_from_db()
        assert claim.lease_until is not None
        assert (claim.lease_until > soon) == bool(renewed)
    assert note_work(bert, adjacent.case, 1) == 0
    assert note_work(None, adjacent.case, 1) == 0


def test_a_hand_in_closes_the_stage_once_nobody_else_has_a_part_of_it(study: Study, adjacent: CaseStage) -> None:
    anna, bert = _annotators(study)
    one, other = assign(adjacent, anna, [1], how=CLAIM), assign(adjacent, bert, [3], how=CLAIM)
    assert hand_in(one) == []
    assert [row.stage for row in hand_in(other)] == ["review"]


def test_who_may_not_do_a_stage_gets_none_of_it(study: Study, adjacent: CaseStage) -> None:
    radiologist, stranger = worker(study, Role.RADIOLOGIST), User.objects.create_user("x@y.org")
    for person in (radiologist, stranger):
        with pytest.raises(RejectedInput, match="stage-not-theirs"):
            assign(adjacent, person, [1], how=CLAIM)
    closed = _annotators(study, 1)[0]
    User.objects.filter(pk=closed.pk).update(is_active=False)
    with pytest.raises(RejectedInput, match="stage-not-theirs"):
        assign(adjacent, closed, [1], how=CLAIM)


def test_a_return_goes_to_the_people_who_did_it_with_their_own_slices_and_no_lease(
    study: Study, adjacent: CaseStage
) -> None:
    anna, bert = _annotators(study)
    worker(study, Role.RADIOLOGIST)
    for person, slices in ((anna, [1, 0]), (bert, [3])):
        last = assign(adjacent, person, slices, how=CLAIM)
    hand_in(Assignment.objects.get(person=anna))
    hand_in(last)
    send_back(row_of(adjacent.case, "review"), person=None, why="a hole on slice 1")
    again = row_of(adjacent.case, "adjacent")
    given = {
        one.person: (one.why, one.lease_until, [held.slice_index for held in one.slices.all()])
        for one in Assignment.objects.filter(row=again)
    }
    why = "Sent back: a hole on slice 1"
    assert given == {anna: (why, None, [0, 1]), bert: (why, None, [3])}
    assert again.round == 2


def test_a_return_of_somebody_who_left_is_free_for_others(study: Study, adjacent: CaseStage) -> None:
    anna, bert = _annotators(study)
    worker(study, Role.RADIOLOGIST)
    hand_in(assign(adjacent, anna, [1], how=CLAIM))
    take_role(study, anna)
    send_back(row_of(adjacent.case, "review"), person=None, why="a hole")
    again = row_of(adjacent.case, "adjacent")
    assert not Assignment.objects.filter(row=again).exists()
    assign(again, bert, [1], how=CLAIM)


@pytest.mark.parametrize("how", ["role taken", "another role", "account closed"])
def test_who_leaves_gives_back_what_is_open_at_once_and_keeps_what_is_done(
    study: Study, adjacent: CaseStage, how: str
) -> None:
    anna, bert = _annotators(study)
    done = assign(adjacent, anna, [0], how=CLAIM)
    Assignment.objects.filter(pk=done.pk).update(state="done", ended_at=now())
    half = assign(adjacent, anna, [1], how=HAND)
    if how == "role taken":
        take_role(study, anna)
    elif how == "another role":
        give_role(study, anna, Role.RADIOLOGIST)
    else:
        close_person(anna)
    states = dict(Assignment.objects.filter(person=anna).values_list("pk", "state"))
    assert states == {done.pk: "done", half.pk: "given_back"}
    assert not permit_of(User.objects.get(pk=anna.pk), adjacent.case, 1).may_draw
    assign(adjacent, bert, [1], how=CLAIM)


def test_an_end_of_the_account_that_was_broken_off_is_mended_by_the_reconciler(
    study: Study, adjacent: CaseStage
) -> None:
    [anna] = _annotators(study, 1)
    assign(adjacent, anna, [1], how=HAND)
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert keep_order() == 1


def _pair() -> tuple[Study, Case, CaseStage]:
    study = study_of("t1", stages=BLIND_PAIR)
    case = bare_case(study)
    return study, case, begin(case)[0]


def test_two_readers_have_a_seat_each_and_a_third_gets_none() -> None:
    study, case, row = _pair()
    anna, bert, cleo = _annotators(study, 3)
    seats = [assign(row, person, how=CLAIM).seat for person in (anna, bert)]
    assert seats == [1, 2]
    with pytest.raises(RejectedInput, match="slice-taken"):
        assign(row, cleo, how=CLAIM)
    assert Reading.objects.filter(row=row).count() == 2
    permit = permit_of(anna, case, 0)
    assert (permit.may_draw, permit.sees_others, permit.sees_models) == (True, False, False)


def test_the_adjudication_opens_when_both_readers_handed_in_and_is_for_neither_of_them() -> None:
    study, case, row = _pair()
    anna, bert = _annotators(study)
    first, second = (assign(row, person, how=CLAIM) for person in (anna, bert))
    assert hand_in(first) == []
    hand_in(second)
    assert open_stages(case) == [("decide", 1)]
    assert all(reading.handed_in_at for reading in Reading.objects.all())
    give_role(study, anna, Role.RADIOLOGIST)
    with pytest.raises(RejectedInput, match="stage-drew-before"):
        assign(row_of(case, "decide"), anna, how=HAND)
    assign(row_of(case, "decide"), worker(study, Role.RADIOLOGIST), how=HAND)


def test_a_seat_that_was_given_back_keeps_its_reader_and_is_theirs_when_they_come_again() -> None:
    study, _, row = _pair()
    anna, bert = _annotators(study)
    give_back(assign(row, anna, how=CLAIM))
    assert assign(row, bert, how=CLAIM).seat == 2
    assert assign(row, anna, how=CLAIM).seat == 1


def test_work_of_a_closed_stage_is_done_with_it(study: Study, adjacent: CaseStage) -> None:
    [anna] = _annotators(study, 1)
    mine = assign(adjacent, anna, [1], how=CLAIM)
    finish(adjacent)
    mine.refresh_from_db()
    assert mine.state == "done"
    with pytest.raises(RejectedInput, match="stage-closed"):
        assign(adjacent, anna, [3], how=CLAIM)


def test_what_is_wholly_drawn_is_changed_by_who_drew_it_until_the_review_is_done() -> None:
    """As before there were stages: a protocol's first keys let the review begin while drawing goes on."""
    study = study_of("t1")
    case, (anna, bert) = bare_case(study), _annotators(study)
    begin(case)
    assign(row_of(case, "annotate"), anna, sorted(drawn(ALL)), how=CLAIM)
    follow(case, drawn(ALL))
    assert open_stages(case) == [("review", 1)]
    assert permit_of(anna, case, 2).may_draw
    assert not permit_of(bert, case, 2).may_look
    send_back(row_of(case, "review"), person=None, why="wider")
    assert permit_of(anna, case, 2).may_draw
    follow(case, drawn(ALL))
    finish(row_of(case, "review"))
    found = permit_of(anna, case, 2)
    assert (found.may_look, found.may_draw) == (True, False)


def test_what_a_review_sent_back_while_drawing_went_on_is_free_again_where_its_lease_ran_out() -> None:
    study = study_of("t1")
    case, (anna, bert) = bare_case(study), _annotators(study)
    begin(case)
    _run_out(assign(row_of(case, "annotate"), anna, [2, 3], how=CLAIM))
    lapse()
    kept = assign(row_of(case, "annotate"), bert, [4], how=CLAIM)
    follow(case, drawn([2, 4]))
    send_back(row_of(case, "review"), person=None, why="wider")
    kept.refresh_from_db()
    assert not kept.is_open
    [again] = Assignment.objects.filter(row=row_of(case, "annotate"), state="open")
    assert (again.person, again.row.round, again.lease_until) == (bert, 2, None)
    assert assign(again.row, anna, [2, 3], how=CLAIM).is_open

"""A person's own page: what is theirs, what came back, the next slice, and every button."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.review.models import Comment
from annotation_backend.stages.assigning import assign, hand_in
from annotation_backend.stages.flow import begin, finish, follow, send_back
from annotation_backend.stages.models import Assignment
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.work.own import own_pieces
from annotation_backend.work.taking import handing_in
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import bare_case, drawn, row_of, study_of, worker
from tests.annotation_backend.support.records import saved, second_study, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def study() -> Study:
    return study_of("mstt-199-staged")


@pytest.fixture
def anna(study: Study) -> User:
    return worker(study, Role.ANNOTATOR)


@pytest.fixture
def browser(anna: User) -> Client:
    return signed_in(anna)


def _adjacent(study: Study, number: int = 1) -> Assignment:
    case = bare_case(study, number)
    follow(case, drawn([2]))
    return assign(
        row_of(case, "adjacent"), User.objects.get(email__startswith="annotator-1"), [1, 3], how=AssignedBy.CLAIM
    )


def test_an_annotator_of_one_study_lands_on_their_work_and_everybody_else_at_the_start(
    study: Study, anna: User
) -> None:
    assert signed_in(anna).get(reverse("landing")).headers["Location"] == page_of(study, "my-work")
    for person in (worker(study, Role.RADIOLOGIST), User.objects.create_user("x@y.org")):
        assert signed_in(person).get(reverse("landing")).headers["Location"] == "/"


def test_the_page_shows_what_is_to_be_done_with_time_left_and_why(study: Study, browser: Client) -> None:
    one = _adjacent(study)
    Assignment.objects.update(why="Because of <that>")
    page = browser.get(page_of(study, "my-work")).content.decode()
    assert "0 slices drawn. Go on to both sides until the tumour ends, then hand in" in page
    assert re.search(r"5[89] min left", page)
    assert "Because of &lt;that&gt;" in page
    assert page_of(study, "studio-of-slice", one.row.case.code, 1) in page
    assert 'data-key="n"' in page


def test_the_big_button_claims_what_is_next_and_leads_to_its_slice(study: Study, browser: Client, anna: User) -> None:
    case = bare_case(study)
    follow(case, drawn([2]))
    answer = browser.post(page_of(study, "next-slice"), {"order": "uncertainty"})
    assert answer.status_code == 200
    address = page_of(study, "studio-of-slice", case.code, 0)
    assert f'http-equiv="refresh" content="0; url={address}"' in answer.content.decode()
    assert Assignment.objects.get().person == anna
    browser.post(page_of(study, "next-slice"))
    assert Assignment.objects.count() == 1, "what one has is done first"


def test_where_nothing_is_free_the_button_says_so(study: Study, browser: Client) -> None:
    answer = browser.post(page_of(study, "next-slice"), follow=True)
    assert "nothing free to draw" in answer.content.decode()


def test_a_piece_is_renewed_given_back_and_handed_in_by_its_person_alone(
    study: Study, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = _adjacent(study)
    address = page_of(study, "own-piece", one.pk)
    other = signed_in(worker(study, Role.ANNOTATOR, 2))
    for action in ("renew", "give-back", "hand-in"):
        assert other.post(address, {"action": action}).status_code == 404
    assert browser.get(address).status_code == 405
    until = Assignment.objects.get().lease_until
    browser.post(address, {"action": "renew"})
    assert Assignment.objects.get().lease_until > until
    browser.post(address, {"action": "nonsense"})
    assert "nobody drew anything" in browser.post(address, {"action": "hand-in"}, follow=True).content.decode().lower()
    monkeypatch.setattr(handing_in, "drawn_in", lambda *_: drawn([2]))
    browser.post(address, {"action": "hand-in"})
    assert Assignment.objects.get().state == "done"
    assert row_of(one.row.case, "review").is_open
    answer = browser.post(address, {"action": "give-back"}, follow=True)
    assert "has ended" in answer.content.decode()


def test_what_came_back_stands_first_with_what_the_reviewer_asks_for(study: Study, browser: Client, anna: User) -> None:
    worker(study, Role.RADIOLOGIST)
    _adjacent(study, 1)
    back = _adjacent(study, 2)
    hand_in(back)
    send_back(row_of(back.row.case, "review"), person=None, why="A hole on slice 3")
    pieces = own_pieces(study, anna)
    assert [piece.case.code for piece in pieces] == [study.code("C", 2), study.code("C", 1)]
    assert pieces[0].returned == {1: "A hole on slice 3", 3: "A hole on slice 3"}
    page = browser.get(page_of(study, "my-work")).content.decode()
    assert "came back" in page
    assert "A hole on slice 3</li>" in page
    assert pieces[0].comments == [("A hole on slice 3", [])], "said once, where it is about every slice"
    assert "Done" in page


def test_the_slice_with_a_pinned_comment_is_next_and_its_words_stand_there(
    study: Study, browser: Client, anna: User
) -> None:
    reviewer = worker(study, Role.RADIOLOGIST)
    back = _adjacent(study, 2)
    hand_in(back)
    first, last = [held.slice_index for held in back.slices.all()][:: back.slices.count() - 1]
    Comment.objects.create(
        case=back.row.case, voxel=[1, 1, last], slice_index=last, author=reviewer, text="It ends at the fascia."
    )
    send_back(row_of(back.row.case, "review"), person=None, why="See below.")
    [piece] = own_pieces(study, anna)
    assert piece.pinned == {last: "It ends at the fascia."}
    assert first not in piece.pinned
    page = browser.get(page_of(study, "my-work")).content.decode()
    assert f"Pinned to slice {last}: It ends at the fascia." in page


def test_a_reviewer_is_led_to_their_next_case(study: Study) -> None:
    radiologist = worker(study, Role.RADIOLOGIST)
    case = bare_case(study)
    follow(case, drawn([2]))
    finish(row_of(case, "adjacent"))
    browser = signed_in(radiologist)
    page = browser.get(page_of(study, "my-work")).content.decode()
    assert "Next case to review" in page
    answer = browser.post(page_of(study, "next-case"))
    assert answer.headers["Location"] == page_of(study, "review-case", case.code)
    assert browser.post(page_of(study, "next-case"), {"after": case.code}).headers["Location"].endswith("/my-work/")


def test_the_home_page_counts_what_is_ones_own_in_each_study(study: Study, browser: Client) -> None:
    _adjacent(study)
    assert "1 piece to do" in browser.get("/").content.decode()
    assert "piece" not in signed_in(worker(study, Role.ANNOTATOR, 2)).get("/").content.decode().replace("pieces", "")


def test_work_of_another_study_is_not_there(study: Study, browser: Client, anna: User) -> None:
    one = _adjacent(study)
    other = second_study("another")
    stranger = signed_in(worker(other, Role.ANNOTATOR))
    assert stranger.post(page_of(study, "own-piece", one.pk), {"action": "give-back"}).status_code == 404
    assert stranger.post(page_of(other, "own-piece", one.pk), {"action": "give-back"}).status_code == 404
    assert browser.get(page_of(other, "my-work")).status_code == 404


@pytest.mark.parametrize("count", [2, 12])
def test_the_page_asks_as_often_for_many_pieces_as_for_two(
    study: Study, browser: Client, count: int, django_assert_num_queries
) -> None:
    for number in range(1, count + 1):
        _adjacent(study, number)
    browser.get(page_of(study, "my-work"))
    with django_assert_num_queries(QUERIES):
        browser.get(page_of(study, "my-work"))


QUERIES = 17


def test_a_claim_that_others_wait_for_is_no_part_of_the_page_of_somebody_else(study: Study) -> None:
    begin(bare_case(study))
    page = signed_in(worker(study, Role.DATA_MANAGER)).get(page_of(study, "my-work")).content.decode()
    assert "Nothing is yours now." in page
    assert "Next slice" not in page, "a data manager draws in no stage"


def test_of_a_centre_slice_one_is_counted_and_nothing_is_next_once_it_is_drawn(study: Study) -> None:
    rosa = worker(study, Role.RADIOLOGIST)
    case = bare_case(study)
    begin(case)
    assign(row_of(case, "centre"), rosa, range(5), how=AssignedBy.CLAIM, begins_at=2)
    [piece] = own_pieces(study, rosa)
    assert (list(piece.slices), list(piece.drawn)) == ([2], [])
    assert piece.next_task is not None
    assert piece.next_task.slice_index == 2
    saved(LabelingTask.objects.get(case=case, slice_index=3), identifier=7, person=rosa.label_studio_id)
    [piece] = own_pieces(study, rosa)  # before a worker takes account of it and closes the stage
    assert (list(piece.slices), list(piece.drawn), piece.next_task) == ([3], [3], None)


def test_who_comes_from_a_task_comes_to_their_work_in_its_study(study: Study, anna: User) -> None:
    case, other = bare_case(study), bare_case(second_study())
    rosa = worker(study, Role.RADIOLOGIST)
    assert signed_in(rosa).get(f"{reverse('landing')}?case={case.code}").headers["Location"] == page_of(
        study, "my-work"
    )
    assert signed_in(rosa).get(f"{reverse('landing')}?case={other.code}").headers["Location"] == "/"


def test_a_role_without_work_in_the_protocol_is_told_so(study: Study) -> None:
    page = signed_in(worker(study, Role.DATA_MANAGER)).get(page_of(study, "my-work")).content.decode()
    assert "In no stage of this study" in page
    assert page_of(study, "work-table") in page
    assert "Next case to review" not in page

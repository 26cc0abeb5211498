"""MSTT-199 acted out by five people on a real patient: centre slice, adjacent slices, a reviewer drawn at random.

A radiologist draws the slice through the tumour's centre. Two trained annotators take the adjacent ones, a few at a
time; one of them stays away until the lease runs out, and the other takes those slices. A radiologist who did not draw,
drawn at random, returns the case with a comment pinned to a voxel, and approves what was repaired with three keys.
Screenshots of every page are kept in ``test-artefacts/``, at 1280 and 1920 pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from datasets.study.shipped_protocols import shipped_text
from tests.annotation_backend.support.acting.theatre import (
    Actor,
    Theatre,
    one_phantom,
    patient_of,
    study_from,
    theatre_of,
)
from tests.annotation_backend.support.installation import Installation, running
from tests.annotation_backend.support.label_studio_page import require_chromium
from tests.annotation_backend.support.waiting import eventually
from tests.data import STS_NIFTI, require

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.label_studio]

ARTEFACTS = Path(__file__).resolve().parents[3] / "test-artefacts" / "mstt"
STUDY = "mstt-199-staged"
PATIENT = "STS_025"
PIECE = 3
WORDS = "The lower border runs into the muscle."
SOON = 120.0


@dataclass(frozen=True, eq=False)
class Cast:
    """The five people."""

    anna: Actor
    ben: Actor
    cleo: Actor
    reviewers: dict[str, Actor]


def _document() -> str:
    """The shipped protocol for patients of whom there is a T1 alone, its adjacent slices in pieces of three."""
    text = shipped_text(STUDY).replace('drawn = "t2"', 'drawn = "t1"')
    text = text.replace('name = "t2"\ntitle', 'name = "t2"\nrequired = false\ntitle')
    return text.replace('slices = "adjacent"', f'slices = "adjacent"\npiece = {PIECE}')


@pytest.fixture(scope="module")
def theatre(new_installation: Callable[[], Installation]) -> Iterator[Theatre]:
    require_chromium()
    source = require(STS_NIFTI / PATIENT)
    installation = new_installation()
    patient_of(source, installation.folder / "studies")
    with running(installation, data=one_phantom(installation.folder / "phantom")):
        studies = installation.folder / "studies"
        case = study_from(installation, STUDY, _document(), studies, publish=("--no-predictions",))
        mask = source / "MR_T1_mask.nii.gz"
        with theatre_of(installation, STUDY, case, mask=mask, artefacts=ARTEFACTS) as found:
            yield found


@pytest.fixture(scope="module")
def cast(theatre: Theatre) -> Cast:
    people = theatre.people(
        anna="radiologist", ben="annotator", cleo="annotator", dora="radiologist", emil="radiologist"
    )
    anna, ben, cleo, *others = people.values()
    return Cast(anna, ben, cleo, {one.name: one for one in others})


def _stages(theatre: Theatre) -> list[tuple[str, int, str]]:
    """Each stage of the case with its round and state."""
    query = (
        "select stage, round, state from stages_casestage row join cases_case one on one.id = row.case_id "
        "where one.code = ? order by row.id"
    )
    return theatre.rows(query, theatre.case)


def _drawn(theatre: Theatre) -> list[tuple[int]]:
    """The slices that somebody submitted."""
    query = (
        "select distinct task.slice_index from labeling_annotation save join labeling_labelingtask task "
        "on task.id = save.task_id join cases_case one on one.id = task.case_id where one.code = ?"
    )
    return theatre.rows(query, theatre.case)


def _held(theatre: Theatre, person: Actor) -> list[int]:
    """The slices that somebody has."""
    query = (
        "select slice_index from stages_assignedslice held join accounts_user one on one.id = held.person_id "
        "where held.is_held and one.username = ? order by slice_index"
    )
    return [index for (index,) in theatre.rows(query, person.email)]


def _reviewer(theatre: Theatre, cast: Cast) -> Actor:
    """Whom the lot gave the open review to."""
    query = (
        "select one.username from stages_assignment work join accounts_user one on one.id = work.person_id "
        "join stages_casestage row on row.id = work.row_id join cases_case a on a.id = row.case_id "
        "where row.stage = 'review' and row.state = 'open' and a.code = ?"
    )
    [(email,)] = theatre.rows(query, theatre.case)
    return next(actor for actor in cast.reviewers.values() if actor.email == email)


def test_a_radiologist_draws_the_centre_slice_and_nobody_else_may_before(theatre: Theatre, cast: Cast) -> None:
    assert "There is nothing free to draw now." in _asked_in_vain(cast.ben)
    index = cast.anna.next_slice("01-my-work-of-the-radiologist")
    assert abs(index - theatre.middle) <= 3, "the slice is proposed on which the tumour seems largest"
    cast.anna.look("02-centre-slice")
    cast.anna.draw(index)
    cast.anna.look("03-centre-slice-submitted")
    wanted = [("centre", 1, "done"), ("adjacent", 1, "open")]
    eventually(lambda: _stages(theatre) == wanted, seconds=SOON, what="the stage of the adjacent slices")


def _asked_in_vain(actor: Actor) -> str:
    actor.open("my-work/")
    actor.press("n")
    actor.page.wait_for_selector(".message")
    actor.look("00-nothing-to-draw-yet")
    return actor.page.locator("main").inner_text()


def test_two_annotators_get_the_adjacent_slices_and_never_one_slice_both(theatre: Theatre, cast: Cast) -> None:
    first = cast.ben.next_slice("04-my-work-of-an-annotator")
    [(centre,)] = _drawn(theatre)
    assert abs(first - centre) == 1
    second = cast.cleo.next_slice()
    ben, cleo = _held(theatre, cast.ben), _held(theatre, cast.cleo)
    assert (len(ben), len(cleo)) == (PIECE, PIECE)
    assert second in cleo
    assert not set(ben) & set(cleo)
    assert centre not in {*ben, *cleo}
    assert cast.ben.fetch(f"studio/{theatre.case}/{cleo[0]}/") == 403
    cast.ben.open(f"studio/{theatre.case}/{cleo[0]}/", "05-a-slice-of-somebody-else")


def test_a_lease_runs_out_and_the_other_annotator_takes_the_slices(theatre: Theatre, cast: Cast) -> None:
    lost = _held(theatre, cast.cleo)
    _draw_all(theatre, cast.ben)
    cast.ben.open("my-work/", "06-my-work-with-a-lease")
    cast.ben.push(f"Hand in {theatre.case}")
    cast.ben.page.wait_for_selector(".message")
    theatre.rows("update stages_assignment set lease_until = '2026-01-01 00:00:00' where lease_until is not null")
    taken = cast.ben.next_slice("07-my-work-after-handing-in")
    assert taken in lost
    assert set(lost) & set(_held(theatre, cast.ben)), "the nearest slices are next, whoever had them before"
    assert _held(theatre, cast.cleo) == []
    assert cast.cleo.fetch(f"studio/{theatre.case}/{taken}/") == 403
    words = cast.cleo.open("my-work/", "08-my-work-after-a-lease-ran-out")
    assert "Nothing is yours now" in words


def _draw_all(theatre: Theatre, actor: Actor) -> None:
    """Draws what is left of the person's piece, slice by slice by way of My work."""
    for _ in range(PIECE):
        actor.draw(actor.next_slice())
        actor.page.wait_for_timeout(1500)


def test_handing_in_opens_the_review_for_somebody_drawn_at_random_who_did_not_draw(
    theatre: Theatre, cast: Cast
) -> None:
    _draw_all(theatre, cast.ben)
    cast.ben.open("my-work/")
    cast.ben.push(f"Hand in {theatre.case}")
    eventually(lambda: ("review", 1, "open") in _stages(theatre), seconds=SOON, what="the review")
    cast.ben.look("09-handed-in")
    reviewer = _reviewer(theatre, cast)
    [other] = [one for one in cast.reviewers.values() if one is not reviewer]
    assert theatre.case in reviewer.open("my-work/", "10-my-work-of-the-reviewer")
    assert "Nothing is yours now" in other.open("my-work/")
    assert "Nothing is yours now" in cast.anna.open("my-work/", "11-my-work-of-who-drew")


def test_the_reviewer_returns_the_case_with_a_comment_pinned_to_a_voxel(theatre: Theatre, cast: Cast) -> None:
    reviewer = _reviewer(theatre, cast)
    _wait_for_the_mask(theatre, reviewer)
    reviewer.open_review("12-review")
    index = _held(theatre, cast.ben)[0]
    number = reviewer.page.locator("[data-number]")
    while (shown := int((number.text_content() or "0").split()[0])) != index:
        reviewer.press("k" if shown < index else "j")
    reviewer.press("c")
    reviewer.page.keyboard.type(WORDS)
    reviewer.look("13-pinning-a-comment")
    reviewer.press("Control+Enter")
    reviewer.page.locator("[data-comments] li", has_text=WORDS).wait_for()
    reviewer.look("14-comment-pinned")
    reviewer.press("3", "r")
    reviewer.page.wait_for_url(lambda url: not url.endswith(f"/review/{theatre.case}/"))
    reviewer.look("15-after-the-return")
    assert _stages(theatre)[-2:] == [("review", 1, "returned"), ("adjacent", 2, "open")]


def _wait_for_the_mask(theatre: Theatre, reviewer: Actor) -> None:
    def is_ready() -> bool:
        reviewer.open(f"review/{theatre.case}/")
        return reviewer.page.locator("form[data-verdict]").count() > 0

    eventually(is_ready, seconds=SOON, what="the mask of what was drawn")


def test_the_annotator_sees_the_comment_on_the_right_slice_repairs_it_and_answers(theatre: Theatre, cast: Cast) -> None:
    index = _held(theatre, cast.ben)[0]
    said = "select slice_comments from labeling_labelingtask where label_studio_id = ?"
    of_task = theatre.tasks[index]
    eventually(lambda: WORDS in theatre.rows(said, of_task)[0][0], seconds=SOON, what="the comment at the slice's task")
    shown = f"/api/tasks/{of_task}/"
    eventually(lambda: WORDS in str(theatre.installation.api("GET", shown)["data"]), seconds=SOON, what="it there")
    words = cast.ben.open("my-work/", "16-my-work-with-a-comment")
    assert WORDS in words
    assert f"slice {index}" in words
    assert cast.ben.next_slice() == index, "what came back is next"
    assert cast.ben.page.get_by_text(WORDS).first.is_visible()
    cast.ben.look("17-comment-above-the-slice")
    assert "tab=" in cast.ben.page.url
    assert cast.ben.page.get_by_text("No tasks found").count() == 0, "the list beside it has what came back"
    cast.ben.draw(index, reach=2.0)
    words = cast.ben.open(f"review/{theatre.case}/comments/", "18-comments")
    assert WORDS in words
    cast.ben.page.get_by_label("Answer").focus()
    cast.ben.page.keyboard.type("It ends at the fascia now.")
    cast.ben.push("Close: it is done")
    cast.ben.page.get_by_text("closed", exact=True).wait_for()
    cast.ben.look("19-comment-closed")
    for _ in range(2):  # both of his pieces came back
        cast.ben.open("my-work/")
        with cast.ben.page.expect_navigation():
            cast.ben.push(f"Hand in {theatre.case}")
    eventually(lambda: _stages(theatre)[-1] == ("review", 2, "open"), seconds=SOON, what="the second review")


def test_the_second_review_approves_with_three_keys(theatre: Theatre, cast: Cast) -> None:
    reviewer = _reviewer(theatre, cast)
    _wait_for_the_mask(theatre, reviewer)
    reviewer.open_review("20-second-review")
    reviewer.press("2", "u", "a")
    reviewer.page.wait_for_url(lambda url: not url.endswith(f"/review/{theatre.case}/"))
    reviewer.look("21-after-the-approval")
    assert _stages(theatre)[-1] == ("review", 2, "done")
    assert "approved" in reviewer.open("review/", "22-queue")
    reviewer.open(f"cases/{theatre.case}/", "23-case-with-its-story")
    reviewer.open("dashboard/", "24-dashboard")


def test_no_page_on_the_way_has_a_grave_fault(theatre: Theatre, cast: Cast) -> None:
    assert {name: found for name, found in theatre.faults.items() if found} == {}
    for actor in (cast.anna, cast.ben, cast.cleo, *cast.reviewers.values()):
        assert actor.complaints == []

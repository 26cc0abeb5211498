"""The lipoma study's ladder acted out by five people on a real patient, from the model's mask down to hand-drawn ones.

The shipped model draws and its mask is scored insufficient; an annotator draws with prompts, which is scored
incorrect; two readers draw by hand, neither seeing the other's mask nor a model's; a radiologist decides between them
by region, and another scores the outcome excellent. The scores are given for the ladder's sake and say nothing of the
masks.
Screenshots of every page are kept in ``test-artefacts/``, at 1280 and 1920 pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datasets.study.shipped_protocols import shipped_text
from tests.annotation_backend.support.acting.theatre import (
    Actor,
    Theatre,
    one_phantom,
    patient_of,
    study_from,
    theatre_of,
    wait_for_viewer,
)
from tests.annotation_backend.support.installation import Installation, running
from tests.annotation_backend.support.label_studio_page import require_chromium
from tests.annotation_backend.support.pictures import box_around
from tests.annotation_backend.support.waiting import eventually
from tests.data import STS_NIFTI, require

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.label_studio]

ARTEFACTS = Path(__file__).resolve().parents[3] / "test-artefacts" / "lipoma"
STUDY = "lipoma-ladder"
PATIENT = "STS_025"
SOON = 180.0

DECIDE = """
[[stages]]
name = "decide"
title = "Decision between readers"
does = "adjudicate"
done_by = "radiologist"
by_another = true
after = ["manual"]
"""


@dataclass(frozen=True, eq=False)
class Cast:
    """The five people."""

    ben: Actor
    readers: tuple[Actor, Actor]
    dora: Actor
    emil: Actor


def _document() -> str:
    """The shipped protocol, its manual stage read twice and blind, and decided by a third."""
    before, manual, after = shipped_text(STUDY).partition('method = "manual"\n')
    after = after.replace('[[stages]]\nname = "score-manual"', f'{DECIDE.strip()}\n\n[[stages]]\nname = "score-manual"')
    after = after.replace('after = ["manual"]\nreturns_to', 'after = ["decide"]\nreturns_to')
    return before + manual + "readers = 2\nblind = true\n" + after


@pytest.fixture(scope="module")
def theatre(new_installation: Callable[[], Installation]) -> Iterator[Theatre]:
    require_chromium()
    source = require(STS_NIFTI / PATIENT)
    installation = new_installation()
    patient_of(source, installation.folder / "studies")
    with running(installation, data=one_phantom(installation.folder / "phantom")):
        case = study_from(installation, STUDY, _document(), installation.folder / "studies")
        mask = source / "MR_T1_mask.nii.gz"
        with theatre_of(installation, STUDY, case, mask=mask, artefacts=ARTEFACTS) as found:
            yield found


@pytest.fixture(scope="module")
def cast(theatre: Theatre) -> Cast:
    people = theatre.people(ben="annotator", cleo="annotator", carl="annotator", dora="radiologist", emil="radiologist")
    ben, cleo, carl, dora, emil = people.values()
    return Cast(ben, (cleo, carl), dora, emil)


def _stages(theatre: Theatre) -> list[tuple[str, str]]:
    """Each stage of the case with its state."""
    query = (
        "select stage, state from stages_casestage row join cases_case one on one.id = row.case_id "
        "where one.code = ? order by row.id"
    )
    return theatre.rows(query, theatre.case)


def _wait_for(theatre: Theatre, *wanted: tuple[str, str]) -> None:
    eventually(lambda: _stages(theatre)[-len(wanted) :] == list(wanted), seconds=SOON, what=f"{wanted}")


def _score(theatre: Theatre, scorer: Actor, *keys: str, look: str) -> None:
    """Scores the mask that counts by keyboard, from one's own list."""

    def is_ready() -> bool:
        scorer.open("my-work/")
        with scorer.page.expect_navigation():
            scorer.press("n")
        return scorer.page.locator("form[data-verdict]").count() > 0

    eventually(is_ready, seconds=SOON, what="the mask to be scored")
    wait_for_viewer(scorer.page)
    scorer.look(look)
    scorer.press(*keys)
    scorer.page.wait_for_url(lambda url: not url.endswith(f"/review/{theatre.case}/"))
    scorer.look(f"{look}-given")


def test_the_model_draws_the_case_by_itself(theatre: Theatre, cast: Cast) -> None:
    _wait_for(theatre, ("automatic", "done"), ("score-automatic", "open"))
    query = (
        "select count(*) from labeling_correction made join cases_case one on one.id = made.case_id "
        "where one.code = ? and made.model_id is not null and made.author_id is null"
    )
    assert theatre.rows(query, theatre.case) == [(1,)]
    assert "Nothing is yours now" in cast.ben.open("my-work/", "01-my-work-while-the-model-is-scored")


def test_scored_insufficient_it_goes_down_to_the_interactive_stage(theatre: Theatre, cast: Cast) -> None:
    _score(theatre, cast.dora, "3", "r", look="02-score-of-the-automatic-mask")
    _wait_for(theatre, ("score-automatic", "went_down"), ("interactive", "open"))


def test_an_annotator_draws_with_prompts_and_hands_in(theatre: Theatre, cast: Cast) -> None:
    cast.ben.next_slice("03-my-work-with-a-case-to-draw")
    index = theatre.middle
    cast.ben.page.goto(theatre.address(f"studio/{theatre.case}/{index}/"))
    editor = cast.ben.editor
    editor.wait_until_drawn()
    said = editor.smart_box(*box_around(theatre.true_slice(index)))
    cast.ben.look("04-prompt-answered")
    editor.accept_suggestion()
    assert any(region["type"] == "brushlabels" for region in editor.submit()["result"])
    assert said["model_version"]
    cast.ben.open("my-work/", "05-my-work-with-something-drawn")
    cast.ben.push(f"Hand in {theatre.case}")
    _wait_for(theatre, ("interactive", "done"), ("score-interactive", "open"))


def test_scored_incorrect_it_goes_down_to_be_drawn_by_hand(theatre: Theatre, cast: Cast) -> None:
    _score(theatre, cast.dora, "4", "r", look="06-score-of-the-interactive-mask")
    _wait_for(theatre, ("score-interactive", "went_down"), ("manual", "open"))


def test_two_readers_draw_by_hand_and_see_no_model(theatre: Theatre, cast: Cast) -> None:
    for number, reader in enumerate(cast.readers):
        reader.next_slice(f"07-my-work-of-reader-{number + 1}")
        for index in (theatre.middle, theatre.middle + 1):
            _open(theatre, reader, index)
            _sees_nothing(theatre, reader, index)
            if index == theatre.middle:
                reader.look(f"08-reader-{number + 1}")
            reader.draw(index, reach=6.0 * number)


def test_nor_is_there_anything_of_the_other_once_both_have_drawn(theatre: Theatre, cast: Cast) -> None:
    first, second = cast.readers
    for reader, other in ((first, second), (second, first)):
        _open(theatre, reader, theatre.middle)
        seen = _asked(theatre, reader, theatre.middle)
        assert {_person(one["completed_by"]) for one in seen["annotations"]} == {_number(theatre, reader)}
        assert other.name not in reader.editor.tabs()
        for address in (f"review/{theatre.case}/", f"adjudication/{theatre.case}/", "agreement/"):
            assert reader.fetch(address) == 403
    assert theatre.rows("select count(*) from stages_reading")[0][0] >= 2
    second.open(f"cases/{theatre.case}/", "09-case-as-a-reader-sees-it")


def _open(theatre: Theatre, reader: Actor, index: int) -> None:
    reader.page.goto(theatre.address(f"studio/{theatre.case}/{index}/"))
    reader.editor.wait_until_drawn()


def _asked(theatre: Theatre, reader: Actor, index: int) -> dict[str, Any]:
    """The task as Label Studio gives it to a reader's browser."""
    address = f"{theatre.installation.label_studio_url}/api/tasks/{theatre.tasks[index]}/?project={theatre.project}"
    return dict(reader.page.request.get(address).json())


def _person(value: Any) -> int:
    return int(value["id"] if isinstance(value, dict) else value)


def _number(theatre: Theatre, reader: Actor) -> int:
    address = f"{theatre.installation.label_studio_url}/api/current-user/whoami"
    return int(reader.page.request.get(address).json()["id"])


def _sees_nothing(theatre: Theatre, reader: Actor, index: int) -> None:
    """Neither in the browser nor by its requests is there anything of others or of a model."""
    seen = _asked(theatre, reader, index)
    assert (seen["predictions"], seen["annotations"]) == ([], [])
    assert reader.page.get_by_text("Drawn by hand: in this stage no model draws").first.is_visible()
    tabs = reader.editor.tabs()
    assert "lite-medsam" not in tabs
    assert "clicks" not in tabs
    [backend] = theatre.installation.api("GET", "/api/ml", params={"project": theatre.project})
    address = f"{theatre.installation.label_studio_url}/api/ml/{backend['id']}/interactive-annotating"
    cookies = {one["name"]: one["value"] for one in reader.page.context.cookies()}
    token = next((value for name, value in cookies.items() if "csrf" in name and "maskloop" not in name), "")
    own = {"Referer": f"{theatre.installation.label_studio_url}/", "Origin": theatre.installation.label_studio_url}
    prompt = {"task": theatre.tasks[index], "context": {"result": []}}
    refused = reader.page.request.post(address, data=prompt, headers={"X-CSRFToken": token, **own})
    assert (refused.status, refused.json()["code"]) == (403, "door-drawn-by-hand")


def test_the_readers_hand_in_and_somebody_has_to_decide(theatre: Theatre, cast: Cast) -> None:
    first, second = cast.readers
    for reader in (first, second):
        reader.open("my-work/")
        reader.push(f"Hand in {theatre.case}")
        reader.page.locator(".message").first.wait_for()
    _wait_for(theatre, ("manual", "done"), ("decide", "open"))


def test_a_radiologist_decides_by_region_with_the_keyboard(theatre: Theatre, cast: Cast) -> None:
    place = f"adjudication/{theatre.case}/"

    def has_regions() -> bool:
        cast.emil.open(place)
        return cast.emil.page.locator("fieldset.region").count() > 0

    cast.emil.open("adjudication/", "10-cases-to-decide")
    eventually(has_regions, seconds=SOON, what="where the readers differ")
    cast.emil.look("11-decision")
    for _ in range(cast.emil.page.locator("fieldset.region").count()):
        cast.emil.press("n", "1")
    cast.emil.look("12-regions-chosen")
    cast.emil.press("s", "Enter")
    cast.emil.page.wait_for_url("**/adjudication/")
    cast.emil.look("13-decided")
    _wait_for(theatre, ("decide", "done"), ("score-manual", "open"))


def test_scored_excellent_the_case_is_done(theatre: Theatre, cast: Cast) -> None:
    _score(theatre, cast.dora, "1", "u", "a", look="14-score-of-the-manual-mask")
    assert _stages(theatre)[-1] == ("score-manual", "done")


def test_rows_methods_and_the_dashboard_say_what_happened(theatre: Theatre, cast: Cast) -> None:
    assert _stages(theatre) == [
        ("automatic", "done"), ("score-automatic", "went_down"), ("interactive", "done"),
        ("score-interactive", "went_down"), ("manual", "done"), ("decide", "done"), ("score-manual", "done"),
    ]  # fmt: skip
    query = (
        "select quality_score, verdict from review_review given join labeling_casemask mask on mask.id = given.mask_id "
        "join cases_case one on one.id = mask.case_id where one.code = ? order by given.id"
    )
    scores = [("insufficient", "down"), ("incorrect", "down"), ("excellent", "approve")]
    assert theatre.rows(query, theatre.case) == scores
    words = cast.dora.open(f"cases/{theatre.case}/", "15-case-with-its-story")
    assert all(word in words for word in ("Automatic", "Interactive", "Manual")), words
    wanted = {
        "Insufficient": "1 100.0 0 0.0 0 0.0",
        "Incorrect": "0 0.0 1 100.0 0 0.0",
        "Excellent": "0 0.0 0 0.0 1 100.0",
    }

    def table() -> dict[str, str]:
        cast.dora.open("dashboard/")
        rows = [row.inner_text().split() for row in cast.dora.page.locator("#scores tbody tr").all()]
        return {row[0]: " ".join(row[1:]) for row in rows if row[0] in wanted}

    eventually(lambda: table() == wanted, seconds=SOON, what="one score for each method, automatic to by hand")
    cast.dora.look("16-dashboard")
    cast.dora.open("agreement/", "17-agreement")
    cast.dora.open(f"agreement/{theatre.case}/", "18-agreement-of-the-case")
    cast.dora.open("review/", "19-queue")


def test_no_page_on_the_way_has_a_grave_fault(theatre: Theatre, cast: Cast) -> None:
    assert {name: found for name, found in theatre.faults.items() if found} == {}
    for actor in (cast.ben, *cast.readers, cast.dora, cast.emil):
        assert actor.complaints == []

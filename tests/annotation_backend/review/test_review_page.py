"""The review page in a browser: a verdict by keys, the viewer, comments and the pen, under the security policy."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask, Correction
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.models import Comment, Review
from annotation_backend.stages.flow import follow
from annotation_backend.studies.models import Study
from datasets.formats.nifti import read_mask
from tests.annotation_backend.inference.unsure_masks import unsure_mask
from tests.annotation_backend.review.test_corrections import CORRECTING
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_page import browser_page, require_chromium
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, signed_in, the_study
from tests.annotation_backend.support.segmenters import known_model

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

DRAWS_BY_SOFTWARE = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
COMPLETE_SECONDS = 120


@pytest.fixture
def people(live_server, monkeypatch, settings, tmp_path) -> dict[Role, User]:
    """Four people and two cases that wait, in a study whose review may correct."""
    require_chromium()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's loop runs in this thread
    settings.DATA_FOLDER = tmp_path / "data"
    document = the_study().document.split("[[stages]]")[0] + CORRECTING
    Study.objects.update(document=document)
    found = accounts()
    for number, code in enumerate(("C0001", "C0002"), start=1):
        _drawn(registered_case(code), number=number)
    unsure_mask(Case.objects.get(code="C0001"), known_model(), index=3)
    return found


def _drawn(case: Case, *, number: int) -> None:
    tasks = published(case, first_task=100 * number + 1)
    for index in range(5):
        saved(tasks[index], identifier=10 * number + index)
    assert assemble(case) is not None
    saved(tasks[2], identifier=10 * number + 2, result=[], updated_at="2026-11-22T10:00:00Z")
    assert assemble(case) is not None
    follow(case, standing_of(case).drawn)


@pytest.fixture
def page(live_server, people: dict[Role, User]) -> Iterator[Page]:
    """The radiologist's browser; nothing in it may complain."""
    cookie = signed_in(people[Role.RADIOLOGIST]).cookies["maskloop_session"].value
    with browser_page(*DRAWS_BY_SOFTWARE) as opened:
        complaints: list[str] = []
        opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.context.add_cookies([{"name": "maskloop_session", "value": cookie, "url": live_server.url}])
        opened.goto(live_server.url + page_at("review-case", "C0001"))
        _wait(opened)
        yield opened
        assert complaints == []


def _wait(page: Page) -> None:
    """Until the viewer is complete; the policy forbids to evaluate a condition in the page."""
    until = time.monotonic() + COMPLETE_SECONDS
    while page.locator("[data-review]").get_attribute("data-state") != "complete":
        assert page.locator("[data-review]").get_attribute("data-state") != "failed"
        assert time.monotonic() < until
        page.wait_for_timeout(50)


def _said(page: Page) -> str:
    return page.locator("[data-said]").text_content() or ""


def _slice(page: Page) -> int:
    return int((page.locator("[data-number]").text_content() or "").split()[0])


def test_three_keys_give_two_verdicts_and_lead_from_case_to_case(page: Page) -> None:
    assert "C0001" in page.title()
    page.keyboard.press("a")
    assert _said(page) == "First the score: keys 1 to 5."
    page.keyboard.press("2")
    page.keyboard.press("a")
    page.wait_for_url("**/C0002/")
    _wait(page)
    page.keyboard.press("4")
    page.keyboard.press("c")
    page.keyboard.type("Too large <b>here</b>")
    page.keyboard.press("Control+Enter")
    page.locator("[data-comments] li").wait_for()
    page.keyboard.press("r")
    page.wait_for_url("**/review/")
    first, second = Review.objects.order_by("pk")
    assert (first.verdict, first.quality_score, first.mask.case.code) == ("approve", "sufficient", "C0001")
    assert (second.verdict, second.quality_score) == ("return", "incorrect")
    assert second.comment == f"See the comments on slice {Comment.objects.get().slice_index}."


def test_slices_findings_and_changes_are_reached_by_keys_and_buttons(page: Page) -> None:
    page.keyboard.press("Home")
    assert _slice(page) == 0
    page.keyboard.press("k")
    page.keyboard.press("ArrowUp")
    assert _slice(page) == 2
    page.keyboard.press("j")
    assert _slice(page) == 1
    page.keyboard.press("End")
    assert _slice(page) == 4
    page.keyboard.press("l")
    assert _slice(page) == 2
    assert "45 mm²" in _said(page)
    page.keyboard.press("d")
    assert _said(page) == "Piece apart, 360 mm³: slice 3 (1 of 2)"
    page.keyboard.press("d")
    assert _said(page) == "Gap of 1: slice 2 (2 of 2)"
    curve = page.locator("[data-curve] svg")
    curve.focus()
    page.keyboard.press("End")
    assert _slice(page) == 4
    box = curve.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    assert _slice(page) == 1
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


def test_how_unsure_a_model_is_is_switched_on_by_a_key_and_told_in_words(page: Page) -> None:
    """The case's map is on slice 3: ever less sure to the picture's right."""
    panel, box = page.locator("[data-unsure]"), page.locator("[data-unsure] input")
    assert not box.is_checked()
    assert not panel.get_by_text("Least sure on").is_visible()
    page.keyboard.press("End")
    page.keyboard.press("h")
    panel.get_by_role("button", name="slice 3").wait_for()
    assert box.is_checked()
    assert _said(page) == "How unsure the model is: least sure on slice 3."
    assert panel.get_by_role("button").all_text_contents() == ["slice 3"]
    here = panel.locator("[data-unsure-here]")
    assert here.text_content() == "At the cross: 0.00 of 1."
    panel.get_by_role("button", name="slice 3").press("Enter")
    assert _slice(page) == 3
    drawn = page.locator(".review-canvas canvas").screenshot()
    canvas = page.locator(".review-canvas canvas").bounding_box()
    assert canvas is not None
    values = set()
    for share in (0.1, 0.2, 0.3, 0.4, 0.5):
        page.mouse.click(canvas["x"] + share * canvas["width"], canvas["y"] + 0.5 * canvas["height"])
        values.add(float((here.text_content() or "").split()[3]))
    assert max(values) > 0.5 > min(values)
    box.focus()
    page.keyboard.press("Space")
    assert (box.is_checked(), here.text_content()) == (False, "")
    assert page.locator(".review-canvas canvas").screenshot() != drawn
    page.keyboard.press("n")
    page.wait_for_url("**/C0002/")
    _wait(page)
    page.keyboard.press("h")
    assert _said(page) == "No model has said how unsure it is of this case."
    assert page.locator("[data-unsure]").count() == 0


def test_nothing_is_fetched_twice(page: Page) -> None:
    for key in "fmwgbxhhh":
        page.keyboard.press(key)
        page.wait_for_timeout(200)
    names = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    fetched = [name for name in names if ".nii" in name or "figures" in name or name.endswith("/comments/")]
    assert sorted(fetched) == sorted(set(fetched))
    assert len([name for name in fetched if "/volumes/" in name]) == 2


def test_the_pen_keeps_a_version_of_the_reviewer(page: Page, people: dict[Role, User]) -> None:
    mask = CaseMask.objects.filter(case__code="C0001").latest("pk")
    before = read_mask(mask.path).data
    page.keyboard.press("Home")
    page.keyboard.press("e")
    canvas = page.locator(".review-canvas canvas").bounding_box()
    assert canvas is not None
    page.locator("[data-size]").fill("1")
    x, y = canvas["x"] + 0.3 * canvas["width"], canvas["y"] + 0.52 * canvas["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=6)
    page.mouse.up()
    page.locator("[data-keep]").click()
    page.get_by_text("Your correction is kept").wait_for(timeout=1000 * COMPLETE_SECONDS)
    correction = Correction.objects.get()
    assert correction.author == people[Role.RADIOLOGIST]
    after = read_mask(correction.path).data
    changed = np.argwhere(after != before)
    assert set(changed[:, 2].tolist()) == {0}, "on the open slice alone"
    assert len(set(changed[:, 0].tolist())) > 1, "along the stroke"


def test_axe_finds_nothing_on_the_review_page_and_its_comments(page: Page, live_server) -> None:
    page.keyboard.press("h")
    page.get_by_role("button", name="slice 3").wait_for()
    page.keyboard.press("c")
    page.keyboard.type("Look.")
    page.keyboard.press("Control+Enter")
    page.locator("[data-comments] li").wait_for()
    for address in ("", page_at("review-comments", "C0001")):
        if address:
            page.goto(live_server.url + address)
        violations = Axe().run(page).response["violations"]
        assert {one["id"]: one["nodes"][0]["html"][:160] for one in violations} == {}

"""Pages of work in a real browser: by keyboard alone, and such that all can use them."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as now_settings
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.stages.assigning import assign, hand_in
from annotation_backend.stages.flow import follow, send_back
from annotation_backend.stages.models import Assignment
from annotation_backend.studies.addresses import page_of
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import bare_case, drawn, row_of, study_of, worker
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_page import CHROMIUM, require_chromium
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture
def page(settings: Any, monkeypatch: pytest.MonkeyPatch, live_server: LiveServer) -> Iterator[Page]:
    """A browser's page; no script may fail, and nothing may be refused by the policy for content."""
    require_chromium()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    settings.MASKLOOP_URL = live_server.url
    told: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        opened = browser.new_page(base_url=live_server.url, viewport={"width": 1280, "height": 900})
        opened.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: told.append(str(error)))
        yield opened
        browser.close()
    assert [line for line in told if "status of 4" not in line and "status of 5" not in line] == []


def _as(page: Page, person: User) -> None:
    name = now_settings.SESSION_COOKIE_NAME
    cookie = signed_in(person).cookies[name].value
    page.context.add_cookies([{"name": name, "value": cookie, "url": now_settings.MASKLOOP_URL}])


def _require_sound(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:160]) for one in found] == []


def test_an_annotator_takes_the_next_slice_by_one_key_and_sees_what_came_back(page: Page) -> None:
    study = study_of("mstt-199-staged")
    anna = worker(study, Role.ANNOTATOR)
    worker(study, Role.RADIOLOGIST)
    first, second = (bare_case(study, number) for number in (1, 2))
    for case in (first, second):
        follow(case, drawn([2]))
    _as(page, anna)
    page.goto(page_of(study, "my-work"))
    _require_sound(page)
    page.route("**/studio/**", lambda route: route.fulfill(body="Label Studio"))
    page.keyboard.press("n")
    page.wait_for_url("**/studio/**")
    claim = Assignment.objects.get()
    assert claim.person == anna
    page.goto(page_of(study, "my-work"))
    page.get_by_role("button", name=f"Renew {claim.row.case.code}").focus()
    page.keyboard.press("Enter")
    page.get_by_text("is yours for the whole time again").wait_for()
    hand_in(claim)
    send_back(row_of(claim.row.case, "review"), person=None, why="A hole on slice 3")
    page.goto(page_of(study, "my-work"))
    page.get_by_text("A hole on slice 3").first.wait_for()
    _require_sound(page)
    page.keyboard.press("n")
    page.wait_for_url("**/studio/**")
    assert Assignment.objects.filter(state="open").count() == 1, "what came back is done first"


def test_a_data_manager_spreads_work_by_keyboard(page: Page) -> None:
    study = study_of("mstt-199")
    for number in (1, 2):
        worker(study, Role.RADIOLOGIST, number)
        case = bare_case(study, number)
        follow(case, drawn([2]))
    _as(page, worker(study, Role.DATA_MANAGER))
    page.goto(f"{page_of(study, 'work-table')}?stage=review")
    _require_sound(page)
    page.get_by_label("tick all on this page").focus()
    page.keyboard.press("Space")
    assert page.locator("input[name=row]:checked").count() == 2
    page.get_by_role("combobox", name="Ticked cases").select_option("random")
    page.get_by_role("button", name="Do it").focus()
    page.keyboard.press("Enter")
    page.get_by_text("2 pieces of work changed hands.").wait_for()
    _require_sound(page)
    assert Assignment.objects.filter(state="open", how="random").count() == 2


def test_a_radiologist_gives_one_verdict_on_the_cases_that_they_opened(
    page: Page, tmp_path: Any, settings: Any
) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    people = accounts()
    for number in (1, 2):
        case = registered_case(f"C{number:04d}")
        saved(published(case, first_task=100 * number)[2], identifier=number)
        assert assemble(case) is not None
        follow(case, drawn([2]))
    _as(page, people[Role.RADIOLOGIST])
    page.goto(page_at("my-work"))
    _require_sound(page)
    page.keyboard.press("n")
    page.wait_for_url("**/review/C0001/")
    page.goto(page_at("review-case", "C0002"))
    page.goto(page_at("bulk-verdicts"))
    _require_sound(page)
    page.get_by_label("tick all").check()
    page.get_by_label("Excellent").check()
    page.get_by_label("hold no tumour").check()
    page.get_by_role("button", name="Approve").focus()
    page.keyboard.press("Enter")
    page.get_by_text("What came of it").wait_for()
    assert page.locator(".tag.approve").count() == 2
    _require_sound(page)


def test_a_piece_by_hand_is_shown_without_a_lease(page: Page) -> None:
    study = study_of("mstt-199")
    anna = worker(study, Role.ANNOTATOR)
    case = bare_case(study)
    follow(case, {})
    assign(row_of(case, "annotate"), anna, [1, 2], how=AssignedBy.HAND, why="A data manager gave it to you")
    _as(page, anna)
    page.goto(page_of(study, "my-work"))
    page.get_by_text("it stays yours").wait_for()
    _require_sound(page)

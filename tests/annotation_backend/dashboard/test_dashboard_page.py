"""The dashboard in a browser: plots from tables under the security policy, by keyboard; and signs of work of a page."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils.timezone import now
from playwright.sync_api import Page

from annotation_backend.accounts.models import Role, User
from annotation_backend.stages.models import CaseStage, StageState
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_page import browser_page, require_chromium
from tests.annotation_backend.support.records import accounts, registered_case, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(live_server, monkeypatch, settings, tmp_path) -> dict[Role, User]:
    """Four people and a case that went through two stages."""
    require_chromium()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's loop runs in this thread
    settings.DATA_FOLDER = tmp_path / "data"
    found = accounts()
    case = registered_case()
    for number, stage in enumerate(case.protocol.steps):
        opened = now() - timedelta(days=3 - number)
        done = {"state": StageState.DONE, "closed_at": opened + timedelta(hours=5)}
        CaseStage.objects.create(case=case, stage=stage.name, opened_at=opened, **done)
    return found


@pytest.fixture
def page(live_server, people: dict[Role, User]) -> Iterator[Page]:
    """The data manager's browser at the dashboard; nothing in it may complain."""
    cookie = signed_in(people[Role.DATA_MANAGER]).cookies["maskloop_session"].value
    with browser_page() as opened:
        complaints: list[str] = []
        opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.context.add_cookies([{"name": "maskloop_session", "value": cookie, "url": live_server.url}])
        opened.goto(live_server.url + page_at("dashboard"))
        yield opened
        assert complaints == []


def test_each_figure_has_a_plot_that_is_named_and_its_table(page: Page) -> None:
    assert page.locator("section[id] table").count() == page.locator(".plot canvas[role=img]").count() == 9
    for number in range(9):
        canvas = page.locator(".plot canvas").nth(number)
        assert "numbers are in the table" in (canvas.get_attribute("aria-label") or "")
        assert canvas.bounding_box()["width"] > 300  # type: ignore[index]
    funnel = page.locator("#funnel table")
    assert funnel.locator("tbody tr").nth(1).locator("td").all_text_contents() == ["1", "0", "1", "0", "0"]


def test_it_is_gone_through_by_keyboard(page: Page) -> None:
    link = page.locator("nav[aria-label=Figures] a").first
    link.focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#funnel")
    page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("class") == "table-scroll"
    page.keyboard.press("Tab")
    assert (page.locator(":focus").text_content() or "").endswith("as CSV")

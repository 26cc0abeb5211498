"""The page of a registration in a browser: the curtain, the modes and the slices, by keyboard alone."""

import re

import pytest
from django.test import Client
from playwright.sync_api import Page

from annotation_backend.accounts.models import Role
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_page import browser_page, require_chromium
from tests.annotation_backend.support.records import accounts, registered_case

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def _shown(page: Page) -> list[str]:
    return [
        image.get_attribute("data-kind") for image in page.query_selector_all("img[data-kind]") if image.is_visible()
    ]


@pytest.mark.slow
def test_the_stage_works_by_keyboard_and_under_the_security_policy(live_server, monkeypatch) -> None:
    require_chromium()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's loop runs in this thread
    people = accounts()
    registered_case()
    client = Client()
    client.force_login(people[Role.DATA_MANAGER])
    cookie = client.cookies["maskloop_session"].value
    with browser_page() as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.context.add_cookies([{"name": "maskloop_session", "value": cookie, "url": live_server.url}])
        page.goto(live_server.url + page_at("registration-page", "C0001"))
        t1, t2 = page.locator("img[data-kind=moving]"), page.locator("img[data-kind=fixed]")
        assert _shown(page) == ["fixed", "moving"]
        assert "50%" in t1.evaluate("image => image.style.clipPath")
        assert t1.bounding_box() == t2.bounding_box()
        page.focus("#share")
        page.keyboard.press("End")
        assert t1.evaluate("image => image.style.clipPath") == "inset(0px 0% 0px 0px)"
        page.focus("#slice")
        page.keyboard.press("ArrowRight")
        assert re.search(r"/t1/moving/3\.png", t1.get_attribute("src") or "")
        assert t1.evaluate("image => image.decode().then(() => image.naturalWidth)") == 24
        page.focus("input[value=curtain]")
        page.keyboard.press("ArrowRight")
        assert t1.evaluate("image => image.style.opacity") == "1"
        page.focus("#share")
        page.keyboard.press("Home")
        assert t1.evaluate("image => image.style.opacity") == "0"
        page.focus("input[value=fade]")
        for kind in ("checkerboard", "edges"):
            page.keyboard.press("ArrowRight")
            assert _shown(page) == [kind]
            assert re.search(rf"/{kind}/3\.png", page.locator(f"img[data-kind={kind}]").get_attribute("src") or "")
        assert complaints == []

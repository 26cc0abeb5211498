"""The page on which somebody decides between readers works by keyboard alone, under the security policy."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from annotation_backend.labeling import jobs
from annotation_backend.labeling.models import Correction
from annotation_backend.readers.adjudication.readings import open_adjudication
from annotation_backend.readers.jobs import compare_readings, prepare_adjudication, summarise_agreement
from annotation_backend.studies.addresses import page_of
from datasets.formats.nifti import read_mask
from tests.annotation_backend.readers.test_readers import World
from tests.annotation_backend.support.label_studio_page import browser_page, require_chromium
from tests.annotation_backend.support.records import signed_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def _kept(page: Page, name: str) -> None:
    """Keeps a picture of the page at both widths where a folder is named for them, and asks axe where it lies there."""
    folder = os.environ.get("MASKLOOP_SCREENSHOTS")
    if not folder:
        return
    axe = Path(folder) / "axe.min.js"
    if axe.exists():
        page.evaluate(axe.read_text())
        found = page.evaluate("() => axe.run().then((told) => told.violations.map((one) => [one.id, one.impact]))")
        assert [one for one in found if one[1] in ("serious", "critical")] == []
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=str(Path(folder) / f"{name}-{width}.png"), full_page=True)


def test_regions_are_chosen_and_saved_by_keyboard(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> None:
    require_chromium()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's loop runs in this thread
    monkeypatch.setattr(jobs, "mirror_states", lambda _case: 0)  # nothing answers as Label Studio
    settings.DATA_FOLDER = tmp_path / "data"
    world = World()
    world.both()
    row = open_adjudication(world.case)
    assert row is not None
    prepare_adjudication.call(row=row.pk)
    compare_readings.call(row=world.row.pk)
    summarise_agreement.call(study=world.study.name)
    cookie = signed_in(world.judge).cookies["maskloop_session"].value
    with browser_page() as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.context.add_cookies([{"name": "maskloop_session", "value": cookie, "url": live_server.url}])
        page.goto(live_server.url + page_of(world.study, "agreement"))
        _kept(page, "agreement")
        page.goto(live_server.url + page_of(world.study, "adjudication", world.case.code))
        page.keyboard.press("n")
        assert page.locator("fieldset.region.current").get_attribute("id") == "region-1-1"
        assert page.locator(".spot h2").text_content() == "Slice 2"
        page.keyboard.press("3")  # as reader 1, who has it inside
        page.keyboard.press("n")
        page.keyboard.press("2")  # outside
        assert page.locator("input:checked").evaluate_all("found => found.map((one) => one.value)") == ["1", "outside"]
        shown = page.locator("#slice-2 img[data-choices]").get_attribute("src") or ""
        assert "choices=regions%7Emajority%7E1.1.1%7E1.2.outside" in shown
        page.wait_for_load_state("networkidle")
        _kept(page, "adjudication")
        with page.expect_navigation():
            page.keyboard.press("v")
        assert page.locator("input:checked").evaluate_all("found => found.map((one) => one.value)") == ["1", "outside"]
        page.keyboard.press("s")
        with page.expect_navigation(url="**/adjudication/"):
            page.keyboard.press("Enter")
        assert "is decided" in (page.text_content("main") or "")
        assert complaints == []
    correction = Correction.objects.get()
    assert correction.author == world.judge
    assert np.count_nonzero(read_mask(correction.path).data) == 72, "as the first reader drew"

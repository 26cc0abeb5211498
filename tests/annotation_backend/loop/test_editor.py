"""The editor's set-up in the real Label Studio with headless Chromium: hint, guide, windows, formats, tabs, doctor."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import email_of
from annotation_backend.labeling.masks.controls import HINT
from datasets.phantom.cohort import write_phantom_cohort
from tests.annotation_backend.loop.chaos import rows_of
from tests.annotation_backend.support.installation import Installation, running
from tests.annotation_backend.support.label_studio_page import LabelStudioPage, browser_page, require_chromium
from tests.annotation_backend.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.label_studio]

ARTEFACTS = Path(__file__).resolve().parents[3] / "test-artefacts"
WINDOWS = ((1500, 950), (1280, 800))
SECOND_ANNOTATOR = "anna@hospital.org"
NEXT_WINDOW = ".windows [class*='arrow-right']:not([class*='double'])"


@dataclass(frozen=True)
class World:
    """A running installation with one phantom patient."""

    installation: Installation
    project: int
    tasks: dict[int, int]

    def tabs(self) -> dict[str, dict[str, Any]]:
        """Tabs by title."""
        found = self.installation.api("GET", "/api/dm/views/", params={"project": self.project})
        return {tab["data"]["title"]: tab for tab in found}

    def rows(self, title: str) -> list[dict[str, Any]]:
        """A tab's tasks in its order."""
        tab = {"project": self.project, "view": self.tabs()[title]["id"], "page_size": 1000}
        return list(self.installation.api("GET", "/api/tasks/", params=tab)["tasks"])

    def undrawn(self) -> set[int]:
        """Tasks that nobody saved a drawing of."""
        return {
            task for task in self.tasks.values() if not self.installation.api("GET", f"/api/tasks/{task}/annotations/")
        }


@pytest.fixture(scope="module")
def world(new_installation: Callable[[], Installation], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    require_chromium()
    studies = tmp_path_factory.mktemp("studies")
    write_phantom_cohort(studies, patients=1)
    installation = new_installation()
    with running(installation, data=studies):
        yield World(installation, *installation.project_and_tasks())


def _editor(page: Page, world: World) -> LabelStudioPage:
    editor = LabelStudioPage(page, world.installation.label_studio_url, ARTEFACTS)
    editor.sign_in(email_of(Role.ANNOTATOR), world.installation.password(Role.ANNOTATOR))
    return editor


def _hint(page: Page) -> str:
    return page.locator("[data-testid=textarea-regions]").inner_text()


def test_the_hint_is_replaced_in_its_place_and_moves_no_picture(world: World) -> None:
    for number, (width, height) in enumerate(WINDOWS):
        with browser_page() as page:
            page.set_viewport_size({"width": width, "height": height})
            editor = _editor(page, world)
            editor.open_task(world.project, world.tasks[7 + number])
            editor.switch_on_suggestions()
            before = editor.picture()
            answer = editor.smart_box((30.0, 30.0), (60.0, 60.0))
            first = _hint(page)
            [told] = [region for region in answer["result"] if region["from_name"] == HINT]
            assert first.split() == told["value"]["text"][0].split()
            assert editor.picture() == before
            line = page.locator(".said").bounding_box()
            assert line is not None
            assert 0 < line["y"] < before["y"] < height
            editor.screenshot(f"hint-{width}")
            editor.start_over()
            assert _hint(page) != first
            assert page.locator("[data-testid=textarea-region]").count() == 1
            assert editor.picture() == before
            for label in ("Tumour point", "Tumour box", "Extreme point", "Start over"):
                assert page.locator(".lsf-label", has_text=label).is_visible()


def test_the_guide_opens_beside_the_task_for_everybody(world: World) -> None:
    with browser_page() as page:
        editor = _editor(page, world)
        editor.open_task(world.project, world.tasks[7])
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="How to").click()
        guide = opened.value
        guide.wait_for_load_state("networkidle")
        assert guide.url == f"{world.installation.url}/guide/"
        assert guide.get_by_role("heading", name="How to annotate").is_visible()
        for picture in guide.locator(".guide img").all():
            picture.scroll_into_view_if_needed()
            guide.wait_for_timeout(300)
            assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
        assert f"task={world.tasks[7]}" in page.url


def test_other_windows_are_leafed_through_beside_the_picture_that_is_drawn_on(world: World) -> None:
    with browser_page() as page:
        editor = _editor(page, world)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/pictures/" in request.url else None)
        editor.open_task(world.project, world.tasks[1])
        assert len(asked) <= 6, "opening a task must not fetch every picture there is"
        drawn_on = page.locator("img[alt='image']").first.get_attribute("src")
        companion = page.locator("img[alt='image']").nth(1)
        shown = [companion.get_attribute("src")]
        for _ in range(2):
            page.click(NEXT_WINDOW)
            page.wait_for_timeout(800)
            shown.append(companion.get_attribute("src"))
        assert len(set(shown)) == 3
        assert page.locator("img[alt='image']").first.get_attribute("src") == drawn_on
        editor.brush((40.0, 40.0), (60.0, 60.0))
        editor.screenshot("windows")
        stored = editor.submit()
    [stroke] = [region for region in stored["result"] if region.get("origin") == "manual"]
    assert "item_index" not in stroke
    assert stroke["to_name"] == "image"


def test_what_the_guide_says_about_keys_is_so(world: World) -> None:
    with browser_page() as page:
        editor = _editor(page, world)
        editor.open_task(world.project, world.tasks[2])
        editor.brush((40.0, 40.0), (60.0, 60.0))
        page.mouse.click(*editor.at((50.0, 50.0)))  # click the mask: now what is drawn is added to it
        page.keyboard.press("b")
        editor.drag((40.0, 60.0), (60.0, 40.0))
        page.wait_for_timeout(500)
        page.keyboard.press("Escape")
        editor.switch_on_suggestions()
        page.click(".lsf-tool_smart:not([aria-label])")
        assert page.locator(".lsf-tool_active[aria-label='key-point-tool']").count() == 1
        page.click(".lsf-tool_smart:not([aria-label])")
        page.wait_for_timeout(300)
        assert page.locator(".lsf-tool_active[aria-label='rectangle-tool']").count() == 1
        page.keyboard.press("b")
        page.keyboard.press("m")
        page.keyboard.press("2")
        page.wait_for_timeout(300)
        with page.expect_request(lambda request: "interactive-annotating" in request.url) as asked:
            for key in ("Control", "Alt"):
                page.keyboard.down(key)
            page.mouse.click(*editor.at((50.0, 50.0)))
            for key in ("Control", "Alt"):
                page.keyboard.up(key)
        editor.screenshot("keys")
        [prompt] = asked.value.post_data_json["context"]["result"]
        assert (prompt["type"], prompt["is_positive"]) == ("keypointlabels", False)
        page.wait_for_timeout(3000)
        page.keyboard.press("Control+z")
        page.wait_for_timeout(6000)  # drafts are saved every 5 s
        stored = world.installation.api("GET", f"/api/tasks/{world.tasks[2]}/drafts")
        assert len([region for region in stored[0]["result"] if region.get("origin") == "manual"]) == 1


def test_the_format_changes_on_a_living_project_and_what_was_drawn_stays(world: World) -> None:
    _draw(world, world.tasks[3], expect=["brushlabels"])
    changed = world.installation.manage("configure_project", "--mask-format", "bitmask", "--oedema", "on")
    assert changed["settings"] == {"mask_format": "bitmask", "labels": {"Oedema": True}, "prompt_models": {}}
    _draw(world, world.tasks[4], expect=["bitmasklabels", "bitmasklabels"], oedema=True)
    _draw(world, world.tasks[3], expect=["brushlabels", "bitmasklabels"], at=85.0)
    world.installation.manage("configure_project", "--mask-format", "brush", "--oedema", "off")
    config = world.installation.api("GET", f"/api/projects/{world.project}/")["label_config"]
    assert config.count('value="Oedema"') == config.count('value="Oedema" background="#1098ad" visible="false"') == 2
    with browser_page() as page:
        editor = _editor(page, world)
        editor.open_task(world.project, world.tasks[4])
        assert "Oedema" in page.locator(".lsf-outliner, .lsf-tree").first.inner_text()
        assert page.locator(".chair .lsf-label:visible", has_text="Oedema").count() == 0
        assert page.locator(".chair .lsf-label:visible", has_text="Tumour").count() >= 1
        editor.screenshot("bitmask-in-brush-project")


def _draw(world: World, task: int, *, expect: list[str], at: float = 10.0, oedema: bool = False) -> None:
    """Adds a stroke (and one of oedema) to a task, submits, and checks which types of region were stored."""
    with browser_page() as page:
        editor = _editor(page, world)
        editor.open_task(world.project, task)
        editor.brush((at, at), (at + 8, at + 8))
        if oedema:
            page.wait_for_timeout(1500)  # the stroke's mask is made behind it
            page.keyboard.press("Escape")
            page.keyboard.press("7")
            page.wait_for_timeout(500)
            editor.drag((70.0, 70.0), (75.0, 75.0))
            page.wait_for_timeout(1500)
        editor.screenshot(f"drawn-{task}-{'-'.join(expect)}")
        stored = editor.submit()["result"]
    assert [region["type"] for region in stored if region.get("origin") == "manual"] == expect


def test_tabs_are_sorted_and_stay_as_people_leave_them_and_a_new_person_gets_one(world: World) -> None:
    waiting = [row["data"]["order"] for row in world.rows("To annotate")]
    assert waiting == sorted(waiting)
    assert len(waiting) >= 5
    _draw(world, world.tasks[0], expect=["brushlabels"])
    submitted = {row["id"] for row in world.rows("Mine: annotator")}
    assert world.tasks[0] in submitted
    assert world.tasks[5] not in submitted
    tab = world.tabs()["Annotated"]
    renamed = {"project": world.project, "data": {**tab["data"], "title": "Done this week"}}
    world.installation.api("PATCH", f"/api/dm/views/{tab['id']}/", params={"project": world.project}, json=renamed)
    before = set(world.tabs())
    world.installation.manage("add_person", SECOND_ANNOTATOR, "annotator")
    world.installation.manage("publish_tasks", "--no-predictions")
    assert set(world.tabs()) == before | {"Mine: anna"}


def test_from_my_work_an_annotator_goes_on_from_slice_to_slice_in_label_studio(world: World) -> None:
    """Every slice that they take, which is each that nobody drew, lies in the list beside the editor."""
    studio, work = world.installation.label_studio_url, f"{world.installation.url}/studies/mstt-199/my-work/"
    with browser_page() as page:
        editor = _editor(page, world)
        page.goto(work)
        while page.get_by_role("button", name="Give back C0001").count():  # the slices that were opened one by one
            with page.expect_navigation():
                page.get_by_role("button", name="Give back C0001").first.click()
        page.keyboard.press("n")
        page.wait_for_url(f"{studio}/**")
        editor.wait_until_drawn()
        rows = page.request.get(f"{studio}/api/tasks/?project={world.project}&page_size=1000").json()["tasks"]
        offered = {row["id"] for row in rows}
        assert offered == world.undrawn()
        first = editor.task
        for task in (first, *sorted(offered - {first})[:2]):
            if task != first:
                editor.open_task(world.project, task)
            editor.brush((40.0, 40.0), (45.0, 45.0))
            assert editor.submit()["task"] == task
            editor.screenshot("from-slice-to-slice")


def test_what_was_broken_in_label_studio_is_mended_and_named_and_every_link_holds(world: World) -> None:
    [hook] = world.installation.api("GET", "/api/webhooks/", params={"project": world.project})
    world.installation.api("PATCH", f"/api/webhooks/{hook['id']}/", json={"is_active": False})
    [backend] = world.installation.api("GET", "/api/ml", params={"project": world.project})
    whole = {name: backend[name] for name in ("url", "project", "title", "auth_method", "basic_auth_user")}
    password = world.installation.environment["ML_BACKEND_PASSWORD"]
    body = {**whole, "basic_auth_pass": password, "is_interactive": False}
    world.installation.api("PATCH", f"/api/ml/{backend['id']}", json=body)

    def is_whole() -> bool:
        [there] = world.installation.api("GET", "/api/webhooks/", params={"project": world.project})
        [answering] = world.installation.api("GET", "/api/ml", params={"project": world.project})
        return bool(there["is_active"] and answering["is_interactive"])

    eventually(is_whole, seconds=120, what="the webhook and the ML backend as we left them")
    named = rows_of(world.installation, "select subject from labeling_studiochange where mended_at is not null")
    assert {("webhook",), ("backend",)} <= set(named)
    assert world.installation.manage("doctor")["failed"] is None

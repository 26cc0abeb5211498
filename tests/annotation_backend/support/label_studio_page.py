"""Label Studio in headless Chromium, as an annotator works in it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Page, Request, Response, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_SETTLE_MS = 2000

_SHOWS_ITS_PICTURE = """() => {
    const picture = document.querySelector("img[alt='image']");
    return picture !== null && picture.complete && picture.naturalWidth > 0;
}"""

_HEARD_MS = 15_000
"""So long after a click a person who sees nothing happen clicks again; on a busy machine the editor misses one."""


def require_chromium() -> None:
    """Fails on CI, and skips loudly elsewhere, where there is no Chromium."""
    if CHROMIUM.exists():
        return
    reason = f"NO CHROMIUM at {CHROMIUM}: the browser tests did not run. Install it (apt-get install chromium)."
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def browser_page(*more: str) -> Iterator[Page]:
    """One page of a fresh browser; `more` are further words of Chromium's command line."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=[*_FLAGS, *more])
        try:
            yield browser.new_page(viewport={"width": 1500, "height": 950})
        finally:
            browser.close()


class LabelStudioPage:
    """What an annotator does: sign in, open a task, brush, box, accept, submit."""

    def __init__(self, page: Page, url: str, artefacts: Path | None = None) -> None:
        self.page = page
        self._url = url
        self._artefacts = artefacts
        self.answered_within = 0.0
        """Seconds from the browser's last smart request to the end of its answer."""

    def sign_in(self, email: str, password: str) -> None:
        """Signs in on Maskloop's page, to which Label Studio sends whom it does not know."""
        self.page.goto(f"{self._url}/user/login/")
        self.page.fill("input[name=username]", email)
        self.page.fill("input[name=password]", password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self._url}/**")

    def open_task(self, project: int, task: int) -> None:
        """Opens a task in the editor by way of Maskloop, which makes a free slice the person's, and waits until its
        pictures are drawn."""
        self._go(f"/user/login/?next={quote(f'/projects/{project}/data?task={task}', safe='')}")

    def _go(self, path: str) -> None:
        self.page.goto(f"{self._url}{path}")
        self.wait_until_drawn()

    @property
    def task(self) -> int:
        """The number of the task that is open."""
        return int(parse_qs(urlsplit(self.page.url).query)["task"][0])

    def wait_until_drawn(self) -> None:
        """Until the editor stands there with its pictures, however one came to it."""
        self.page.wait_for_selector(".lsf-main-view")
        self.page.wait_for_selector("canvas")
        self.page.wait_for_function(_SHOWS_ITS_PICTURE)
        self.page.wait_for_timeout(_SETTLE_MS)

    def picture(self) -> dict[str, float]:
        """Where the annotated picture lies on the screen (x, y, width, height in pixels)."""
        image = self.page.locator("img[alt='image']").first
        box = image.bounding_box()
        assert box is not None, "the annotated picture is not on the screen"
        return dict(box)

    def at(self, percent: tuple[float, float]) -> tuple[float, float]:
        """Screen position of a percent of the annotated picture."""
        box = self.picture()
        return box["x"] + box["width"] * percent[0] / 100, box["y"] + box["height"] * percent[1] / 100

    def drag(self, start: tuple[float, float], *through: tuple[float, float]) -> None:
        """Drags from one percent of the picture through others."""
        mouse = self.page.mouse
        mouse.move(*self.at(start))
        mouse.down()
        for point in through:
            mouse.move(*self.at(point), steps=12)
        mouse.up()

    def brush(self, *percents: tuple[float, float]) -> None:
        """Brushes a stroke with the tumour label."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("1")
        self.page.wait_for_timeout(300)
        self.drag(percents[0], *percents[1:])
        self.page.wait_for_timeout(500)
        self.page.keyboard.press("Escape")

    def smart_box(self, corner: tuple[float, float], opposite: tuple[float, float]) -> dict[str, Any]:
        """Draws a smart box, waits for the model's suggestion and returns what the model sent."""
        self.switch_on_suggestions()
        self.choose_smart_tool("rectangle-tool")
        self.page.keyboard.press("3")
        self.page.wait_for_timeout(300)
        with self.page.expect_response(_is_suggestion, timeout=90_000) as answered:
            self.drag(corner, opposite)
        return self._suggestion(self._timed(answered.value))

    def smart_click(self, percent: tuple[float, float], *, negative: bool = False) -> dict[str, Any]:
        """Places a smart point (inside another region too) and returns what the model sent; Alt makes it negative."""
        return self._suggestion(self._point(percent, "2", negative=negative))

    def extreme_point(self, percent: tuple[float, float]) -> dict[str, Any]:
        """Places one of six extreme points and returns what the model sent: a hint, and a mask with the sixth."""
        return dict(self._point(percent, "4").json()["data"])

    def undo_prompt(self) -> dict[str, Any]:
        """Takes the last prompt back with the session's label, and returns what came."""
        return dict(self._point((50.0, 93.0), "5").json()["data"])

    def start_over(self) -> dict[str, Any]:
        """Forgets all prompts with the session's label, and returns what came."""
        return dict(self._point((50.0, 93.0), "6").json()["data"])

    def _point(self, percent: tuple[float, float], hotkey: str, *, negative: bool = False) -> Response:
        self.switch_on_suggestions()
        self.choose_smart_tool("key-point-tool")
        self.page.keyboard.press(hotkey)
        self.page.wait_for_timeout(300)
        keys = ["Control", *(["Alt"] if negative else [])]
        with self.page.expect_response(_is_suggestion, timeout=90_000) as answered:
            try:
                with self.page.expect_request(_asks_for_a_suggestion, timeout=_HEARD_MS):
                    self._click(percent, keys)
            except PlaywrightTimeout:
                self.screenshot("click-not-heard")
                self._click(percent, keys)
        self.page.wait_for_timeout(300)
        return self._timed(answered.value)

    def _click(self, percent: tuple[float, float], keys: Sequence[str]) -> None:
        for key in keys:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.at(percent))
        for key in reversed(keys):
            self.page.keyboard.up(key)

    def _timed(self, answer: Response) -> Response:
        answer.finished()
        self.answered_within = answer.request.timing["responseEnd"] / 1000
        return answer

    def _suggestion(self, answer: Response) -> dict[str, Any]:
        body = answer.json()
        assert body.get("data", {}).get("result"), f"the model sent no mask: {body}"
        self.page.wait_for_selector("[data-testid=bottombar-accept-suggestions-button]", timeout=30_000)
        return dict(body["data"])

    def accept_suggestion(self) -> None:
        """Accepts what the model drew."""
        self.page.click("[data-testid=bottombar-accept-suggestions-button]")
        self.page.wait_for_timeout(800)

    def reject_suggestion(self) -> None:
        """Rejects what the model drew."""
        self.page.click("[data-testid=bottombar-reject-suggestions-button]")
        self.page.wait_for_timeout(800)

    def hint(self) -> str:
        """What the model says above the pictures."""
        line = self.page.locator("textarea, .lsf-text-area, [class*='textarea']")
        return " ".join(line.all_inner_texts())

    def label_all(self, project: int) -> None:
        """Goes through the tasks as *Label All Tasks* offers them; only there is a skip button."""
        self._go(f"/projects/{project}/data?labeling=1")

    def skip(self) -> dict[str, Any]:
        """Skips the task and returns what the server stored."""
        with self.page.expect_response(_is_save) as stored:
            self.page.click("[data-testid=bottombar-skip-button]")
        return dict(stored.value.json())

    def submit(self) -> dict[str, Any]:
        """Submits, or updates, and returns what the server stored."""
        button = self.page.locator("[data-testid=bottombar-submit-button], [data-testid=bottombar-update-button]").first
        with self.page.expect_response(_is_save) as stored:
            button.click()
        return dict(stored.value.json())

    def tabs(self) -> str:
        """The text of the tabs above the editor: annotations, and predictions by model version."""
        return self.page.locator(".lsf-annotations-carousel").inner_text()

    def switch_on_suggestions(self) -> None:
        """Switches auto-annotation on where it is off."""
        toggle = self.page.locator("[data-testid=bottombar-auto-annotation-toggle]")
        if not toggle.is_checked():
            toggle.check(force=True)
            self.page.wait_for_timeout(_SETTLE_MS)

    def choose_smart_tool(self, name: str) -> None:
        """Chooses ``rectangle-tool`` or ``key-point-tool`` among the smart tools."""
        self.page.hover(".lsf-tool_smart:not([aria-label])")
        self.page.click(".lsf-tool_smart:not([aria-label])")
        self.page.click(f".lsf-tool_smart[aria-label='{name}']")
        self.page.wait_for_timeout(300)

    def screenshot(self, name: str) -> None:
        """Keeps a picture of the page among the test artefacts."""
        if self._artefacts is not None:
            self._artefacts.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=self._artefacts / f"{name}.png")


def _asks_for_a_suggestion(request: Request) -> bool:
    return "interactive-annotating" in request.url


def _is_suggestion(answer: Response) -> bool:
    return _asks_for_a_suggestion(answer.request)


def _is_save(answer: Response) -> bool:
    is_of_annotations = "/annotations" in answer.url and "/drafts" not in answer.url
    return is_of_annotations and answer.request.method in ("POST", "PATCH")

"""The card's page in a browser: accessible, no wider than a telephone, and nothing is asked of anybody."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from datasets.release.build import build_release
from datasets.release.settings import by_protocol
from datasets.study.shipped_protocols import shipped_protocol
from tests.annotation_backend.support.label_studio_page import browser_page, require_chromium
from tests.datasets.release.describing.samples import HOSTILE, PUBLICATION
from tests.datasets.release.samples import SETTINGS, write_cases

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ACQUISITION = {"vendor": "siemens", "field_strength_t": 1.5, "repetition_time_ms": 540.0}
PROVENANCE = {"models": ["six-points 3"], "agreement": {"dice": 0.9}, "acquisition": {"t1": ACQUISITION}}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    require_chromium()
    folder = tmp_path_factory.mktemp("page")
    said = replace(SETTINGS, publication=PUBLICATION, description="\n\n".join(HOSTILE), known_limits=HOSTILE)
    cases = [replace(case, provenance=PROVENANCE) for case in write_cases(folder)]
    built = build_release(cases, by_protocol(said, shipped_protocol("mstt-199")), folder / "out")
    return (built.folder / "README.html").as_uri()


@pytest.fixture
def page() -> Iterator[Page]:
    with browser_page() as page:
        yield page


@pytest.mark.parametrize("width", [390, 1440])
def test_it_is_accessible_and_fits(page: Page, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    violations = Axe().run(page).response["violations"]
    assert [(found["id"], [node["html"][:120] for node in found["nodes"]]) for found in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_fetched_and_nothing_runs(page: Page, address: str) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.goto(address)
    assert asked == [address]
    assert said == []
    assert page.locator("script").count() == 0


def test_every_table_has_heads_and_every_figure_words_and_a_file(page: Page, address: str) -> None:
    page.goto(address)
    tables = page.locator("table").count()
    assert tables >= 8
    assert page.locator("table:has(thead th[scope=col])").count() == tables
    figures = page.locator("svg[role=img]")
    assert figures.count() == 2
    for number in range(figures.count()):
        assert re.search(r"median [0-9]", figures.nth(number).get_attribute("aria-label") or "")
    folder = Path(address.removeprefix("file://")).parent
    files = [link.get_attribute("href") or "" for link in page.locator("a[href^=figures]").all()]
    assert len(files) == 2
    assert all((folder / file).exists() for file in files)


def test_a_figure_s_file_stands_for_itself(page: Page, address: str) -> None:
    page.goto(address.replace("README.html", "figures/volumes.svg"))
    fill = page.evaluate("getComputedStyle(document.querySelector('.dot')).fill")
    assert fill == "rgb(37, 99, 201)"

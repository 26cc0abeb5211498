"""Every page of a study as each role, looked at by axe: nothing serious or critical, nothing wider than the screen."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.publishing.correcting.errata import report
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.services import publish_release
from annotation_backend.review.comments.services import pin
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import begin, follow
from datasets.release.correcting.erratum_report import ErratumReport, FaultyPart
from datasets.release.settings import ReleaseSettings
from datasets.study.stage import AssignedBy
from tests.annotation_backend.learning.tried_models import tried_model
from tests.annotation_backend.support.acting.theatre import grave_faults
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_page import CHROMIUM, require_chromium
from tests.annotation_backend.support.records import (
    accounts,
    approve,
    published,
    registered_case,
    saved,
    signed_in,
    the_study,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
NARROW = 1280

PLAIN = (
    *("study", "my-work", "case-list", "model-list", "model-compare", "release-list", "own-controls"),
    *("review-queue", "bulk-verdicts", "adjudication-list", "agreement", "finding-list", "registration-queue"),
    *("cohort-report", "dashboard", "work-table", "control-list", "people", "audit-log", "project-settings"),
    *("protocol-change", "erratum-list", "withdrawal-list"),
)
OF_A_CASE = ("case-page", "registration-page", "review-case", "review-comments", "adjudication", "agreement-case")


@pytest.fixture
def people(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Any) -> dict[Role, User]:
    """Four people, a case that is drawn and commented on, one that is approved, and one in somebody's hands."""
    require_chromium()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's loop runs in this thread
    settings.DATA_FOLDER = tmp_path / "data"
    found = accounts()
    masks = [_drawn(number) for number in (1, 2)]
    pin(masks[0].case, found[Role.RADIOLOGIST], voxel=[3, 3, 2], text="The lower border, please.")
    approve(masks[1], found[Role.RADIOLOGIST], accepts_unannotated=True)
    release = publish_release(the_study(), ReleaseSettings(name="tumours", version="1.0.0", licence="CC0-1.0")).release
    said = ErratumReport("tumours", "1.0.0", release.digest, "sub-0001_ses-1", FaultyPart.MASK, "The edge is wrong.")
    report(the_study(), said)
    third = registered_case("C0003")
    published(third, first_task=301)
    assign(begin(third)[0], found[Role.ANNOTATOR], [1, 2], how=AssignedBy.CLAIM, why="It was next")
    return found


def _drawn(number: int) -> CaseMask:
    tasks: list[LabelingTask] = published(registered_case(f"C000{number}"), first_task=100 * number + 1)
    for index in range(3):
        saved(tasks[index], identifier=10 * number + index)
    mask = assemble(tasks[0].case)
    assert mask is not None
    follow(mask.case, standing_of(mask.case).drawn)
    return mask


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize("role", list(Role))
def test_no_page_has_a_grave_fault(
    live_server: LiveServer, people: dict[Role, User], browser: Browser, role: Role
) -> None:
    page = _page(live_server, people[role], browser)
    shown, faults = 0, {}
    models = [tried_model(name, {"C0001": 0.5, "C0002": 0.7}, (("C0001",), ("C0002",))) for name in ("one", "other")]
    of_models = [("model-page", models[0].pk), ("run-page", models[1].run.pk)]
    release = Release.objects.get().pk
    of_models += [("release-page", release), ("erratum-report", release), ("erratum-page", 1)]
    for name, *values in (*((one,) for one in PLAIN), *((one, "C0001") for one in OF_A_CASE), *of_models):
        answer = page.goto(live_server.url + page_at(name, *values))
        assert answer is not None
        if answer.status == 403:
            continue
        assert answer.status == 200, name
        shown += 1
        found = grave_faults(page)
        if _is_too_wide(page):
            found.append(f"wider than {NARROW} pixels")
        if found:
            faults[name] = found
    assert faults == {}
    assert shown >= 9


def _page(live_server: LiveServer, person: User, browser: Browser) -> Page:
    cookie = signed_in(person).cookies["maskloop_session"].value
    page = browser.new_context(viewport={"width": NARROW, "height": 900}).new_page()
    page.context.add_cookies([{"name": "maskloop_session", "value": cookie, "url": live_server.url}])
    return page


def _is_too_wide(page: Page) -> bool:
    """Whether the page has to be moved sideways to read it."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

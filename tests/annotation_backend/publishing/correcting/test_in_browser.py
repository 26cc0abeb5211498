"""From a reader's report to the next version, acted out in a browser: by keyboard, such that all can use every page."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as now_settings
from django.core.management import call_command
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.services import publish_release
from datasets.release.manifest_reading import read_manifest
from datasets.release.verify import verify_release
from tests.annotation_backend.publishing.correcting.conftest import FIRST, approved_case, drawn_by_hand
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_page import browser_page, require_chromium
from tests.annotation_backend.support.records import accounts, signed_in, the_study

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

CODE, GONE = "sub-0002_ses-1", "sub-0003_ses-1"
WIDTHS = (1280, 390)
PATIENCE_MS = 120_000


@pytest.fixture
def people(live_server: LiveServer, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[Role, User]:
    """Three approved cases in version 1.0.0, and everybody's account."""
    require_chromium()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's loop runs in this thread
    settings.MASKLOOP_URL, settings.DATA_FOLDER = live_server.url, tmp_path / "data"
    found = accounts()
    for code in ("C0001", "C0002", "C0003"):
        approved_case(code, found[Role.RADIOLOGIST])
    publish_release(the_study(), FIRST)
    return found


@pytest.fixture
def page(people: dict[Role, User]) -> Iterator[Page]:
    """A browser's page; no script may fail."""
    told: list[str] = []
    with browser_page() as opened:
        opened.set_default_timeout(PATIENCE_MS)
        opened.set_viewport_size({"width": WIDTHS[0], "height": 900})
        opened.on("pageerror", lambda error: told.append(str(error)))
        yield opened
    assert told == []


def _as(page: Page, person: User) -> None:
    name = now_settings.SESSION_COOKIE_NAME
    cookie = signed_in(person).cookies[name].value
    page.context.add_cookies([{"name": name, "value": cookie, "url": now_settings.MASKLOOP_URL}])


def _open(page: Page, name: str, *values: Any) -> None:
    page.goto(now_settings.MASKLOOP_URL + page_at(name, *values))


def _require_sound(page: Page, name: str) -> None:
    """No fault that axe finds, and nothing wider than the screen, on a desk and on a telephone."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=now_settings.DATA_FOLDER.parent / f"{name}-{width}.png", full_page=True)
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:160]) for one in found] == [], (name, width)
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), name
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})


def _press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).focus()
    page.keyboard.press("Enter")


def test_from_a_report_to_the_next_version_and_a_patient_who_leaves(page: Page, people: dict[Role, User]) -> None:
    first = Release.objects.get()
    _report(page, people[Role.ANNOTATOR], first)
    _accept(page, people[Role.DATA_MANAGER])
    _repair(page, people[Role.RADIOLOGIST])
    _withdraw(page, people[Role.DATA_MANAGER], first)
    said = StringIO()
    call_command("build_release", "tumours", "1.0.1", "--licence", "CC0-1.0", stderr=said)
    assert "It corrects erratum 1." in said.getvalue()
    assert "3 volume(s) of 1 withdrawn case(s) were looked for by their voxels among the 6" in said.getvalue()
    assert "none found" in said.getvalue()
    later = Release.objects.get(version="1.0.1")
    _look_at_new(page, later)
    before, now = (read_manifest((one.path / "manifest.json").read_bytes()) for one in (first, later))
    digests = [{case.case: case.voxels["mask"] for case in manifest.cases} for manifest in (before, now)]
    assert [code for code in digests[1] if digests[0][code] != digests[1][code]] == [CODE]
    assert (set(digests[0]) - set(digests[1]), now.withdrawn) == ({GONE}, (GONE,))
    assert verify_release(first.path, expected_digest=first.digest).is_sound
    assert verify_release(later.path, expected_digest=later.digest).is_sound


def _report(page: Page, reader: User, release: Release) -> None:
    _as(page, reader)
    _open(page, "release-list")
    page.get_by_role("link", name="tumours-1.0.0").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Report a fault").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Case:", exact=True).focus()
    page.keyboard.type("sub-0002")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the first of what may be wrong: the mask's outline
    page.get_by_label("Slices").fill("2, 9")
    page.get_by_label("In your words").fill("The lower part is missing. Ask jane@hospital.org")
    _press(page, "Report")
    page.get_by_text("e-mail address").wait_for()
    _require_sound(page, "report-refused")
    assert page.get_by_label("The mask's outline").is_checked()
    page.get_by_label("Slices").fill("2")
    page.get_by_label("In your words").fill("The lower part is missing.")
    _press(page, "Report")
    page.get_by_text("Erratum 1 is listed beside the release").wait_for()
    _require_sound(page, "erratum-of-a-reader")
    assert page.get_by_role("button", name="Accept").count() == 0
    _open(page, "release-page", release.pk)
    page.get_by_role("link", name="errata.json").wait_for()
    assert page.locator("tr", has_text=CODE).get_by_text("reported").count() == 1
    _require_sound(page, "release-with-erratum")


def _accept(page: Page, manager: User) -> None:
    _as(page, manager)
    _open(page, "erratum-list")
    _require_sound(page, "errata")
    page.get_by_role("link", name="1", exact=True).focus()
    page.keyboard.press("Enter")
    _require_sound(page, "erratum-to-decide")
    _press(page, "Accept")
    page.get_by_text("Erratum 1 is accepted").wait_for()
    _require_sound(page, "erratum-accepted")


def _repair(page: Page, radiologist: User) -> None:
    """An annotator's save comes from Label Studio; the radiologist looks at the case again, and approves it."""
    task = LabelingTask.objects.get(case__code="C0002", slice_index=2)
    drawn_by_hand(task, 12, at="2026-11-22T10:00:00.000001Z")
    assert assemble(task.case) is not None
    _as(page, radiologist)
    _open(page, "review-case", "C0002")
    page.get_by_text("A reader of tumours-1.0.0 found a fault on slice 2: The lower part is missing.").wait_for()
    page.screenshot(path=now_settings.DATA_FOLDER.parent / f"review-{WIDTHS[0]}.png")
    _open(page, "bulk-verdicts")
    page.get_by_label("tick all").check()
    page.get_by_label("Excellent").check()
    page.get_by_label("hold no tumour").check()
    _press(page, "Approve")
    page.get_by_text("What came of it").wait_for()
    assert page.locator(".tag.approve").count() == 1


def _withdraw(page: Page, manager: User, first: Release) -> None:
    _as(page, manager)
    _open(page, "patient-page", "P0003")
    page.get_by_role("link", name="Withdraw the patient").focus()
    page.keyboard.press("Enter")
    assert page.get_by_label("Patient’s code").input_value() == "P0003"
    page.get_by_label("Reason").fill("Took the consent back.")
    page.get_by_label("This is for good").focus()
    page.keyboard.press("Space")
    _require_sound(page, "withdrawing")
    _press(page, "Withdraw")
    page.get_by_text("P0003 is withdrawn").wait_for()
    _require_sound(page, "withdrawn")
    _open(page, "release-page", first.pk)
    page.get_by_role("link", name="its tombstone").wait_for()
    assert page.get_by_role("link", name="Download").count() == 0
    _require_sound(page, "former-release")


def _look_at_new(page: Page, release: Release) -> None:
    _open(page, "release-page", release.pk)
    page.get_by_role("link", name="Proof that nobody withdrawn is in it").wait_for()
    picture = page.get_by_role("img", name=f"What changed: {CODE}")
    assert picture.count() == 1
    assert picture.evaluate("each => each.complete && each.naturalWidth > 0")
    _require_sound(page, "new-release")
    with page.expect_download() as download:
        page.get_by_role("link", name="Proof that nobody withdrawn is in it").click()
    assert Path(download.value.path()).read_bytes() == release.path.with_name("tumours-1.0.1.proof.json").read_bytes()

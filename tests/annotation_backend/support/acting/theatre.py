"""People who act a protocol out: each signed in on their own in one browser, with pictures and faults of every page."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from annotation_backend.environment import ROOT
from curation.slices.export import read_slices
from datasets.formats.nifti import read_mask
from datasets.image.resample import resample_mask
from datasets.phantom.cohort import write_phantom_cohort
from datasets.pictures.picture_plane import PicturePlane
from tests.annotation_backend.support.installation import Installation
from tests.annotation_backend.support.label_studio_page import CHROMIUM, LabelStudioPage
from tests.annotation_backend.support.pictures import deepest, percent_of

WIDTHS = (1280, 1920)
"""Pixels; each page is kept in both."""

_FLAGS = [
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
]
_GRAVE = {"serious", "critical"}
_VIEWER_SECONDS = 120


@dataclass(frozen=True, eq=False)
class Theatre:
    """A study of a running installation, what is true of its one case, and the browser in which its people act.

    Args:
        installation: The running installation.
        study: The study's name.
        case: The case's code.
        plane: The plane of its pictures.
        truth: The tumour on the case's grid.
        project: Its project in Label Studio.
        tasks: Label Studio's number of each slice's task.
        browser: For everybody.
        artefacts: Where pictures are kept.
        faults: What axe found grave, by page.
    """

    installation: Installation
    study: str
    case: str
    plane: PicturePlane
    truth: np.ndarray
    project: int
    tasks: dict[int, int]
    browser: Browser
    artefacts: Path
    faults: dict[str, list[str]] = field(default_factory=dict)

    @property
    def middle(self) -> int:
        """The slice with most tumour."""
        return int(self.plane.stack(self.truth).sum(axis=(1, 2)).argmax())

    def true_slice(self, index: int) -> np.ndarray:
        """The tumour on a slice, in picture orientation."""
        return self.plane.to_picture(self.truth, index)

    def slice_of(self, task: int) -> int:
        """The slice of a task."""
        return next(index for index, number in self.tasks.items() if number == task)

    def address(self, place: str) -> str:
        """A page of the study."""
        return f"{self.installation.url}/studies/{self.study}/{place}"

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of our own database, or what a statement changed there."""
        file = self.installation.folder / "data" / "maskloop.sqlite3"
        with sqlite3.connect(file, timeout=30) as connection:
            return connection.execute(query, values).fetchall()

    def people(self, **roles: str) -> dict[str, "Actor"]:
        """New people with a role each in the study, signed in."""
        emails = {name: f"{name}@hospital.org" for name in roles}
        lines = [("add_person", emails[name], role, "--study", self.study) for name, role in roles.items()]
        made = manage_all(self.installation, *lines)
        pairs = zip(emails.items(), made, strict=True)
        return {name: Actor(self, name, email, answer["password"]) for (name, email), answer in pairs}


class Actor:
    """One of the people, in a browser of their own."""

    def __init__(self, theatre: Theatre, name: str, email: str, password: str) -> None:
        self.theatre, self.name, self.email = theatre, name, email
        self.complaints: list[str] = []
        self.page: Page = theatre.browser.new_context(viewport={"width": WIDTHS[0], "height": 900}).new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)) if self._is_ours() else None)
        self._sign_in(password)

    def _is_ours(self) -> bool:
        return self.page.url.startswith(self.theatre.installation.url)

    def _sign_in(self, password: str) -> None:
        self.page.goto(self.theatre.address("my-work/"))
        if not self.theatre.faults.get("signed in"):
            self.look("sign-in")
            self.theatre.faults["signed in"] = []
        self.page.get_by_label("E-mail address").fill(self.email)
        self.page.get_by_label("Password").fill(password)
        self.page.keyboard.press("Enter")
        self.page.get_by_role("heading", name="My work").wait_for()

    def open(self, place: str, look: str = "") -> str:
        """Opens a page of the study and returns its words; `look` names the pictures that are kept of it."""
        self.page.goto(self.theatre.address(place))
        if look:
            self.look(look)
        return self.page.locator("main").inner_text()

    def look(self, name: str) -> None:
        """Keeps pictures of the page at both widths, and notes what axe finds grave where the page is ours."""
        self.theatre.artefacts.mkdir(parents=True, exist_ok=True)
        for width in reversed(WIDTHS):
            self.page.set_viewport_size({"width": width, "height": 900 if width == WIDTHS[0] else 1080})
            self.page.wait_for_timeout(300)
            self.page.screenshot(path=self.theatre.artefacts / f"{name}-{width}.png")
        if self._is_ours() and (found := grave_faults(self.page)):
            self.theatre.faults[name] = found

    def press(self, *keys: str) -> None:
        """Presses keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def push(self, name: str, within: str = "main") -> None:
        """Presses a button or follows a link as somebody without a mouse does."""
        place = self.page.locator(within)
        found = place.get_by_role("button", name=name).or_(place.get_by_role("link", name=name)).first
        found.focus()
        self.page.keyboard.press("Enter")

    def fetch(self, place: str) -> int:
        """The status of an address of ours, asked with this person's cookies."""
        return int(self.page.request.get(self.theatre.address(place), max_redirects=0).status)

    def next_slice(self, look: str = "") -> int:
        """From My work to the next slice in Label Studio by one key; the slice."""
        self.open("my-work/", look)
        self.press("n")
        self.page.wait_for_url(f"{self.theatre.installation.label_studio_url}/**", timeout=60_000)
        self.editor.wait_until_drawn()
        return self.theatre.slice_of(self.editor.task)

    @property
    def editor(self) -> LabelStudioPage:
        """Label Studio in this person's browser."""
        return LabelStudioPage(self.page, self.theatre.installation.label_studio_url, self.theatre.artefacts)

    def draw(self, index: int, *, reach: float = 0.0) -> dict[str, Any]:
        """Brushes a stroke in the tumour of the slice that is open, and submits; `reach` in percent of the picture."""
        inside = self.theatre.true_slice(index)
        x, y = percent_of(deepest(inside), inside.shape) if inside.any() else (50.0, 50.0)
        self.editor.brush((x, y), (x + 3 + reach, y), (x + 3 + reach, y + 3), (x, y + 3 + reach))
        return self.editor.submit()

    def open_review(self, look: str = "") -> None:
        """Opens the case's review page and waits until its viewer is complete."""
        self.page.goto(self.theatre.address(f"review/{self.theatre.case}/"))
        wait_for_viewer(self.page)
        if look:
            self.look(look)

    def said(self) -> str:
        """What the review page says at its foot."""
        return self.page.locator("[data-said]").text_content() or ""


def wait_for_viewer(page: Page) -> None:
    """Until the viewer is complete; the page's policy forbids to wait for a condition in the page."""
    until = time.monotonic() + _VIEWER_SECONDS
    while (state := page.locator("[data-review]").get_attribute("data-state")) != "complete":
        assert state != "failed", "the viewer could not start"
        assert time.monotonic() < until, f"the viewer is still {state}"
        page.wait_for_timeout(100)


def grave_faults(page: Page) -> list[str]:
    """What axe finds serious or critical on a page, each with the first element."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in _GRAVE]


def one_phantom(folder: Path) -> Path:
    """A phantom of few pixels for the study that an installation begins with; nobody acts there."""
    write_phantom_cohort(folder, patients=1, seed=5, size=48)
    return folder


def patient_of(source: Path, folder: Path) -> None:
    """Copies a real patient's T1 with the contour that came with it, as an ingest finds them."""
    patient = folder / source.name
    patient.mkdir(parents=True)
    shutil.copy(source / "MR_T1_image.nii.gz", patient / "t1.nii.gz")
    shutil.copy(source / "MR_T1_mask.nii.gz", patient / "t1_mask.nii.gz")


def study_from(
    installation: Installation, name: str, document: str, studies: Path, *, publish: tuple[str, ...] = ()
) -> str:
    """Makes a study with the patients of a folder, published in Label Studio.

    Args:
        installation: The running installation.
        name: The study's name.
        document: Its protocol.
        studies: Folder of its patients.
        publish: Further words for publishing.

    Returns:
        The code of its one case.
    """
    file = installation.folder / f"{name}.toml"
    file.write_text(document)
    of = ("--study", name)
    answers = manage_all(
        installation,
        ("create_study", name, "--protocol", str(file)),
        ("ingest_studies", str(studies), *of, "--label-values", "tumour=1"),
        *(("register_cases", *of), ("export_slices", *of), ("publish_tasks", *of, *publish)),
    )
    [case] = answers[1]["new"]
    return str(case)


_ALL = """
import io, json, sys, django
django.setup()
from django.core.management import call_command
answers = []
for words in json.loads(sys.argv[1]):
    said = io.StringIO()
    try:
        call_command(*words, "--json", stdout=said)
    except SystemExit as ended:
        if ended.code != 1:
            raise
    answers.append(json.loads(said.getvalue()))
print(json.dumps(answers))
"""
"""Several commands in one process; findings do not stop it."""


def manage_all(installation: Installation, *lines: tuple[str, ...]) -> list[dict[str, Any]]:
    """Runs management commands one after the other in one process, which starts faster than one for each."""
    command = [sys.executable, "-c", _ALL, json.dumps(lines)]
    done = subprocess.run(command, cwd=ROOT, env=installation.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}"
    return list(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def theatre_of(installation: Installation, study: str, case: str, *, mask: Path, artefacts: Path) -> Iterator[Theatre]:
    """A study of a running installation with a browser for its people.

    Args:
        installation: The running installation.
        study: The study's name.
        case: Its one case.
        mask: The tumour, on any grid.
        artefacts: Where pictures are kept.
    """
    [exported] = (installation.folder / "data" / "studies" / study / "cases" / case / "slices").iterdir()
    plane = read_slices(exported).plane
    rows = {row["study"]: row["label_studio_project"] for row in installation.manage("list_studies")["studies"]}
    listed = installation.api("GET", "/api/tasks/", params={"project": rows[study], "page_size": 1000})["tasks"]
    tasks = {row["data"]["slice"]: row["id"] for row in listed}
    truth = resample_mask(read_mask(mask), plane.grid).foreground
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=_FLAGS)
        try:
            yield Theatre(installation, study, case, plane, truth, rows[study], tasks, browser, artefacts)
        finally:
            browser.close()

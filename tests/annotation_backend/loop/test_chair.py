"""The annotator's chair, in a browser on the real Label Studio: prompts that live in 3D, repairs, both mask formats.

Runs on STS_001 without the contours that come with it, so that nothing but prompts draws; on a phantom elsewhere.
Screenshots are kept in ``test-artefacts/``. The shipped click models learned from this patient's T1: the figures
printed here say that the chair works, not how well the models draw.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import email_of
from annotation_backend.labeling.masks.regions import mask_of
from curation.slices.export import read_slices
from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_series.series import group_series
from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from datasets.image.resample import resample_mask
from datasets.phantom.cohort import write_phantom_cohort
from datasets.pictures.picture_plane import PicturePlane
from tests.annotation_backend.support.installation import Installation, running
from tests.annotation_backend.support.label_studio_page import LabelStudioPage, browser_page, require_chromium
from tests.annotation_backend.support.pictures import box_around, deepest, percent_of
from tests.annotation_backend.support.waiting import eventually
from tests.data import STS_DICOM
from training.measures.metrics import dice as dice_of_masks

pytestmark = [pytest.mark.browser, pytest.mark.label_studio]

ARTEFACTS = Path(__file__).resolve().parents[3] / "test-artefacts"
REFRESHED_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Chair:
    """The running installation, and what is true of its one case."""

    installation: Installation
    plane: PicturePlane
    truth: np.ndarray
    project: int
    tasks: dict[int, int]

    @property
    def middle(self) -> int:
        """The slice with most tumour."""
        return int(self.plane.stack(self.truth).sum(axis=(1, 2)).argmax())

    @property
    def far(self) -> int:
        """The slice with much tumour that is furthest from the middle: nothing is carried there from it."""
        areas = self.plane.stack(self.truth).sum(axis=(1, 2))
        return int(max(np.flatnonzero(areas > areas.max() / 4), key=lambda index: abs(int(index) - self.middle)))

    def true_slice(self, index: int) -> np.ndarray:
        """The tumour on a slice, in picture orientation."""
        return self.plane.to_picture(self.truth, index)

    def task(self, index: int) -> dict[str, Any]:
        """The task of a slice as Label Studio has it."""
        return dict(self.installation.api("GET", f"/api/tasks/{self.tasks[index]}/"))

    def mask(self, regions: list[dict[str, Any]]) -> np.ndarray:
        """The tumour that a result draws."""
        return mask_of(regions, height=self.plane.height, width=self.plane.width).pixels

    def dice(self, regions: list[dict[str, Any]], index: int) -> float:
        """Dice of what a result draws with the truth."""
        return dice_of_masks(self.mask(regions), self.true_slice(index))

    def predicted(self, index: int) -> tuple[str, float]:
        """Model version and Dice of the prediction that opens with a slice."""
        rows = self.task(index)["predictions"]
        newest = max(rows, key=lambda row: row["id"], default={"model_version": "", "result": []})
        return newest["model_version"], self.dice(newest["result"], index)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of our own database."""
        file = self.installation.folder / "data" / "maskloop.sqlite3"
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(query).fetchall()

    def at(self, pixel: tuple[float, float]) -> tuple[float, float]:
        """Percent of a pixel (row, column)."""
        return percent_of(pixel, self.plane.shape)


@pytest.fixture(scope="module")
def chair(new_installation: Callable[[], Installation], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chair]:
    require_chromium()
    studies = tmp_path_factory.mktemp("studies")
    truth = _studies(studies)
    installation = new_installation()
    with running(installation, data=studies):
        yield _chair(installation, truth)


def _studies(folder: Path) -> Mask:
    """Studies without contours, and the tumour's mask on the T2's own grid."""
    if STS_DICOM.exists():
        patient = folder / "STS_001"
        for series in ("MR_T1", "MR_T2"):
            shutil.copytree(STS_DICOM / "STS_001" / series / "image", patient / series)
        [drawn] = (STS_DICOM / "STS_001" / "MR_T2" / "mask").iterdir()
        name = "GTV_Mass"
    else:
        write_phantom_cohort(folder, patients=1)
        [drawn] = (path for path in folder.rglob("*.dcm") if read_header(path).is_structure_set)
        name = ""
    headers = [read_header(path) for path in sorted(folder.rglob("*.dcm")) if path != drawn]
    masks = next(found for series in group_series(headers) if (found := _read(drawn, series)) is not None)
    if not STS_DICOM.exists():
        drawn.unlink()
    return masks.get(name) or next(iter(masks.values()))


def _read(drawn: Path, series: Any) -> dict[str, Mask] | None:
    try:
        return read_structure_set(drawn, series).sound()
    except RejectedInput:
        return None


def _chair(installation: Installation, truth: Mask) -> Chair:
    [exported] = (installation.folder / "data" / "cases" / "C0001" / "slices").iterdir()
    plane = read_slices(exported).plane
    project, tasks = installation.project_and_tasks()
    return Chair(installation, plane, resample_mask(truth, plane.grid).foreground, project, tasks)


@pytest.fixture(scope="module")
def page(chair: Chair) -> Iterator[Page]:
    with browser_page() as opened:
        _sign_in(opened, chair)
        yield opened


def _sign_in(page: Page, chair: Chair) -> None:
    editor = LabelStudioPage(page, chair.installation.label_studio_url)
    editor.sign_in(email_of(Role.ANNOTATOR), chair.installation.password(Role.ANNOTATOR))


@pytest.fixture
def editor(page: Page, chair: Chair) -> LabelStudioPage:
    return LabelStudioPage(page, chair.installation.label_studio_url, ARTEFACTS)


def _said(answer: dict[str, Any]) -> str:
    """The hint in an answer."""
    return str(next(region["value"]["text"][0] for region in answer["result"] if region["type"] == "textarea"))


def _masks(regions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [region for region in regions if region["type"] in ("brushlabels", "bitmasklabels")]


def test_nothing_is_drawn_before_anyone_pointed(chair: Chair) -> None:
    assert chair.predicted(chair.middle)[1] == 0.0


def test_box_reject_clicks_undo_accept_brush_and_submit(
    chair: Chair, editor: LabelStudioPage, tell_figure: Callable[[str], None]
) -> None:
    index, true = chair.middle, chair.true_slice(chair.middle)
    editor.open_task(chair.project, chair.tasks[index])
    editor.screenshot("chair-01-open")
    boxed = editor.smart_box(*box_around(true))
    assert _said(boxed).startswith("Box")
    editor.screenshot("chair-02-box")
    editor.reject_suggestion()
    editor.page.wait_for_timeout(6000)  # until the draft is saved, which says that it was rejected
    first = editor.smart_click(chair.at(deepest(true)))
    missed = true & ~chair.mask(first["result"])
    second = editor.smart_click(chair.at(deepest(missed if missed.any() else true)))
    editor.screenshot("chair-03-two-clicks")
    extra = chair.mask(second["result"]) & ~true
    outside = deepest(extra) if extra.any() else (2.0, 2.0)
    third = editor.smart_click(chair.at(outside), negative=True)
    assert "2 clicks in the tumour, 1 beside it" in _said(third)
    editor.screenshot("chair-04-negative-click")
    undone = editor.undo_prompt()
    assert "Took back the last prompt" in _said(undone)
    assert np.array_equal(chair.mask(undone["result"]), chair.mask(second["result"]))
    editor.screenshot("chair-05-undone")
    editor.accept_suggestion()
    missed = true & ~chair.mask(undone["result"])
    row, column = deepest(missed if missed.any() else true)
    x, y = chair.at((row, column))
    editor.brush((x, y), (x + 1, y + 1))
    editor.screenshot("chair-06-brushed")
    stored = editor.submit()
    editor.screenshot("chair-07-submitted")
    dice = chair.dice(stored["result"], index)
    tell_figure(
        f"chair, slice {index}: Dice with GTV_Mass {chair.dice(boxed['result'], index):.3f} after a box, "
        f"{chair.dice(first['result'], index):.3f} after one click, {chair.dice(second['result'], index):.3f} after "
        f"two, {dice:.3f} submitted after undo and brush"
    )
    assert len([region for region in _masks(stored["result"]) if region["id"].startswith("tumour")]) == 1
    assert dice > 0.5
    assert chair.mask(stored["result"])[int(row), int(column)]
    kept = f"select count(*) from labeling_annotation where label_studio_id = {stored['id']}"
    eventually(lambda: chair.rows(kept)[0][0] == 1, seconds=30, what="the stored version")


def test_the_next_slices_arrive_drawn_and_better_than_before(
    chair: Chair, editor: LabelStudioPage, tell_figure: Callable[[str], None]
) -> None:
    neighbours = [chair.middle + step for step in (-2, -1, 1, 2)]

    def carried() -> list[float]:
        """Dice of all, once all are there; a newer push takes a prediction away before it brings another."""
        found = [chair.predicted(index) for index in neighbours]
        return [dice for version, dice in found if version == "carried-over"]

    after = eventually(
        lambda: dices if len(dices := carried()) == len(neighbours) and min(dices) > 0 else None,
        seconds=REFRESHED_SECONDS,
        what="the neighbours' predictions",
    )
    tell_figure(f"chair: Dice of the neighbours' predictions 0 before, {[f'{dice:.2f}' for dice in after]} after")
    assert min(after) > 0.5
    editor.open_task(chair.project, chair.tasks[chair.middle + 1])
    assert "carried-over" in editor.tabs()
    editor.screenshot("chair-08-next-slice")
    stored = editor.submit()
    assert chair.dice(stored["result"], chair.middle + 1) == pytest.approx(after[2])


def test_an_earlier_annotation_is_edited_and_its_first_version_stays(chair: Chair, editor: LabelStudioPage) -> None:
    index = chair.middle
    before = chair.task(index)["annotations"][0]
    editor.open_task(chair.project, chair.tasks[index])
    x, y = chair.at(deepest(chair.true_slice(index)))
    editor.brush((x, y), (x - 2, y + 2))
    stored = editor.submit()
    assert stored["id"] == before["id"]
    query = f"select number from labeling_annotation where label_studio_id = {stored['id']} order by number"
    eventually(lambda: chair.rows(query) == [(1,), (2,)], seconds=30, what="the second version")


def test_bitmasks_are_drawn_and_read_as_well(
    chair: Chair, editor: LabelStudioPage, tell_figure: Callable[[str], None]
) -> None:
    chair.installation.manage("configure_project", "--mask-format", "bitmask")
    index = chair.far
    editor.open_task(chair.project, chair.tasks[index])
    boxed = editor.smart_box(*box_around(chair.true_slice(index)))
    assert [region["type"] for region in _masks(boxed["result"])] == ["bitmasklabels"]
    editor.accept_suggestion()
    editor.screenshot("chair-11-bitmask")
    stored = editor.submit()
    assert {region["type"] for region in _masks(stored["result"])} == {"bitmasklabels"}
    dice = chair.dice(stored["result"], index)
    tell_figure(f"chair, slice {index}: Dice {dice:.3f} with a bitmask from a box")
    assert dice > 0.5
    chair.installation.manage("configure_project", "--mask-format", "brush")


def test_six_points_over_slices_draw_the_tumour(
    chair: Chair, editor: LabelStudioPage, tell_figure: Callable[[str], None]
) -> None:
    stack = chair.plane.stack(chair.truth)
    slices = np.flatnonzero(stack.any(axis=(1, 2)))
    index = chair.middle + 3
    true = chair.true_slice(index)
    rows, columns = np.nonzero(true)
    ends = [(r, c) for r, c in _ends(rows, columns)]
    editor.open_task(chair.project, chair.tasks[index])
    said = [_said(editor.extreme_point(chair.at(end))) for end in ends]
    assert said[1].startswith("2 of 6")
    assert "first slice" in said[3]
    assert "last slice" in said[3]
    editor.screenshot("chair-09-four-extreme-points")
    editor.open_task(chair.project, chair.tasks[int(slices[0])])
    fifth = editor.extreme_point(chair.at(deepest(chair.true_slice(int(slices[0])))))
    assert "Missing: its last slice" in _said(fifth)
    editor.open_task(chair.project, chair.tasks[int(slices[-1])])
    sixth = editor.extreme_point(chair.at(deepest(chair.true_slice(int(slices[-1])))))
    assert sixth["model_version"].startswith("six-points"), _said(sixth)
    editor.screenshot("chair-10-six-points")
    further = chair.middle + 5

    def drawn() -> bool:
        return chair.predicted(further)[0].startswith("six-points")

    eventually(drawn, seconds=REFRESHED_SECONDS, what="the six points' masks on the other slices")
    tell_figure(
        f"chair: six points, Dice on slice {further}, which nobody pointed at: {chair.predicted(further)[1]:.3f}"
    )
    assert chair.predicted(further)[1] > 0.3


def _ends(rows: np.ndarray, columns: np.ndarray) -> list[tuple[float, float]]:
    """Pixels at the four ends of a mask."""
    at = [columns.argmin(), columns.argmax(), rows.argmin(), rows.argmax()]
    return [(float(rows[place]), float(columns[place])) for place in at]


def test_a_task_is_skipped(chair: Chair, editor: LabelStudioPage) -> None:
    index = max(chair.tasks)
    # Whoever opens a free slice has it, and only what one has is offered.
    editor.open_task(chair.project, chair.tasks[index])
    editor.label_all(chair.project)
    stored = editor.skip()
    assert stored["was_cancelled"]
    query = f"select was_cancelled from labeling_annotation where label_studio_id = {stored['id']}"
    eventually(lambda: chair.rows(query) == [(1,)], seconds=30, what="the skip")


def test_how_long_an_answer_takes_in_the_browser(
    chair: Chair, editor: LabelStudioPage, tell_figure: Callable[[str], None]
) -> None:
    index = chair.middle + 4
    true = chair.true_slice(index)
    random = np.random.default_rng(5)
    editor.open_task(chair.project, chair.tasks[index])
    editor.smart_box(*box_around(true))
    editor.reject_suggestion()
    boxes, clicks = [], []
    for _ in range(6):
        boxed = editor.smart_box(*box_around(true))
        boxes.append(editor.answered_within)
        assert boxed["model_version"].startswith("lite-medsam")
        assert chair.dice(boxed["result"], index) > 0.5
        editor.reject_suggestion()
    editor.smart_click(chair.at(deepest(true)))
    inside = np.argwhere(true)
    for number in range(2, 14):
        clicked = editor.smart_click(chair.at(tuple(random.choice(inside).tolist())))
        clicks.append(editor.answered_within)
        assert clicked["model_version"].startswith("clicks-2d")
        assert chair.mask(clicked["result"]).any()
        assert f"{number} clicks in the tumour" in _said(clicked), "none of them was lost"
    tell_figure(
        f"chair, browser's request to its answer: clicks p50 {np.median(clicks):.2f} s, p95 "
        f"{np.percentile(clicks, 95):.2f} s; boxes on a seen slice p50 {np.median(boxes):.2f} s, p95 "
        f"{np.percentile(boxes, 95):.2f} s"
    )

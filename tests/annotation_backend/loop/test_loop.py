"""The loop, end to end, as its users see it: Label Studio in a browser, review, training, a verified release.

Runs on STS_001 (a real patient) where the shared data are, on the phantom cohort elsewhere.
"""

import gzip
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from playwright.sync_api import Page

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import email_of
from annotation_backend.labeling.masks.brush import decode
from annotation_backend.labeling.masks.regions import region_of
from curation.slices.export import read_slices
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.resample import resample_mask
from datasets.pictures.picture_plane import PicturePlane
from tests.annotation_backend.support.installation import Installation, free_port, fresh_installation, running
from tests.annotation_backend.support.label_studio_page import LabelStudioPage, browser_page, require_chromium
from tests.annotation_backend.support.pictures import box_around, centre
from tests.annotation_backend.support.waiting import eventually
from tests.data import STS_DICOM
from training.measures.metrics import dice as dice_of_masks
from training.pretrained.shipped import shipped_packages

pytestmark = [pytest.mark.browser, pytest.mark.label_studio]

ARTEFACTS = Path(__file__).resolve().parents[3] / "test-artefacts"
TRAINING_STEPS = 80
EMPTY = 1
"""A slice without tumour, in STS_001 and in the phantom."""

NEIGHBOUR = 2
"""The slice this far from the middle is left to the trained model; nobody draws on it."""


@dataclass(frozen=True)
class World:
    """The running installation and what is true of its first case."""

    installation: Installation
    plane: PicturePlane
    truth: np.ndarray
    project: int
    tasks: dict[int, int]

    @property
    def middle(self) -> int:
        """The slice with most tumour."""
        axes = tuple(axis for axis in range(3) if axis != self.plane.slice_axis)
        return int(self.truth.sum(axis=axes).argmax())

    @property
    def case_folder(self) -> Path:
        """Files of the first case."""
        return self.installation.folder / "data" / "cases" / "C0001"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    require_chromium()
    data = STS_DICOM / "STS_001" if STS_DICOM.exists() else None
    installation = fresh_installation(tmp_path_factory.mktemp("installation"))
    with running(installation, data=data):
        yield _world(installation)


def _world(installation: Installation) -> World:
    folder = installation.folder / "data" / "cases" / "C0001"
    [exported] = (folder / "slices").iterdir()
    plane = read_slices(exported).plane
    [imported] = (folder / "series").glob("t2-gtv_mass.nii.gz")
    truth = resample_mask(read_mask(imported), plane.grid).foreground
    return World(installation, plane, truth, *installation.project_and_tasks())


def _editor(page: Page, world: World, role: Role = Role.ANNOTATOR) -> LabelStudioPage:
    editor = LabelStudioPage(page, world.installation.label_studio_url, ARTEFACTS)
    editor.sign_in(email_of(role), world.installation.password(role))
    return editor


def _pixels(region: dict[str, Any], plane: PicturePlane) -> np.ndarray:
    return decode(region["value"]["rle"], height=plane.height, width=plane.width)


def test_brush_box_accept_submit_and_the_mask_is_assembled(world: World, tell_figure: Callable[[str], None]) -> None:
    index, plane = world.middle, world.plane
    true_slice = plane.to_picture(world.truth, index)
    with browser_page() as page:
        editor = _editor(page, world)
        editor.open_task(world.project, world.tasks[index])
        assert "lite-medsam-1" in editor.tabs()
        editor.screenshot("task-with-prediction")
        suggestion = editor.smart_box(*box_around(true_slice))
        editor.screenshot("smart-box-suggestion")
        editor.accept_suggestion()
        x, y = centre(true_slice)
        editor.brush((x, y), (x + 1.5, y + 1.5))
        stored = editor.submit()
        editor.screenshot("submitted")
    assert suggestion["model_version"].startswith("lite-medsam-1")
    brushed = [region for region in stored["result"] if region["type"] == "brushlabels"]
    [accepted] = [region for region in brushed if region["id"] == suggestion["result"][0]["id"]]
    dice = dice_of_masks(_pixels(accepted, plane), true_slice)
    tell_figure(f"accepted LiteMedSAM mask on slice {index}: Dice {dice:.3f} with GTV_Mass")
    assert dice >= 0.85
    assert len(brushed) >= 2, "the brushed stroke did not come along"
    union = np.logical_or.reduce([_pixels(region, plane) for region in brushed])
    [file] = eventually(
        lambda: list((world.case_folder / "masks").glob("*.nii.gz")), seconds=180, what="the assembled mask"
    )
    mask = read_mask(file)
    [registered] = (world.case_folder / "registration").glob("*/t2.nii.gz")
    assert mask.grid.matches(read_volume(registered).grid)
    assert np.array_equal(plane.to_picture(mask.foreground, index), union)
    assert mask.foreground.sum() == union.sum()


def test_a_slice_without_tumour_starts_empty_and_is_submitted_so(world: World) -> None:
    with browser_page() as page:
        editor = _editor(page, world)
        editor.open_task(world.project, world.tasks[EMPTY])
        assert editor.submit()["result"] == []


def test_a_smart_point_is_answered_by_the_shipped_click_model(world: World, tell_figure: Callable[[str], None]) -> None:
    index = world.middle + 1
    true_slice = world.plane.to_picture(world.truth, index)
    with browser_page() as page:
        editor = _editor(page, world)
        editor.open_task(world.project, world.tasks[index])
        suggestion = editor.smart_click(centre(true_slice))
        editor.screenshot("smart-point-suggestion")
    assert suggestion["model_version"] == "clicks-2d-2"
    dice = dice_of_masks(_pixels(suggestion["result"][0], world.plane), true_slice)
    tell_figure(
        f"clicks-2d after one click on slice {index}: Dice {dice:.3f} with GTV_Mass (it learned from this patient)"
    )
    assert dice >= 0.5


def test_a_radiologist_returns_the_case_and_it_is_in_the_annotators_tab(world: World) -> None:
    _give_verdict(world, "return", comment="The lower border, please.")
    returned = world.tasks[world.middle]

    def state() -> bool:
        return bool(world.installation.api("GET", f"/api/tasks/{returned}/")["data"]["state"] == "returned")

    eventually(state, seconds=60, what="the returned state in Label Studio")
    views = world.installation.api("GET", "/api/dm/views/", params={"project": world.project})
    [tab] = [view for view in views if view["data"]["title"] == "Returned by review"]
    params = {"view": tab["id"], "project": world.project, "fields": "all"}
    shown = world.installation.api("GET", "/api/tasks/", params=params)["tasks"]
    assert returned in [task["id"] for task in shown]
    assert {task["data"]["state"] for task in shown} == {"returned"}
    with browser_page() as page:
        _editor(page, world).open_task(world.project, returned)
        assert page.get_by_role("heading", name="The lower border, please.").is_visible()


def test_the_annotator_updates_and_the_radiologist_approves(world: World) -> None:
    before = set((world.case_folder / "masks").glob("*.nii.gz"))
    with browser_page() as page:
        editor = _editor(page, world)
        editor.open_task(world.project, world.tasks[world.middle])
        x, y = centre(world.plane.to_picture(world.truth, world.middle))
        editor.brush((x, y), (x - 1.5, y + 1.5))
        editor.submit()
    masks = world.case_folder / "masks"
    eventually(lambda: set(masks.glob("*.nii.gz")) - before, seconds=180, what="the mask of the update")
    _annotate_the_rest(world, leaving={0, EMPTY, world.middle, world.middle + NEIGHBOUR})
    eventually(lambda: _annotated_count(world) == len(world.tasks) - 2, seconds=240, what="the whole case's mask")
    _give_verdict(world, "approve")


def _annotate_the_rest(world: World, *, leaving: set[int]) -> None:
    """Submits the true mask on the other slices through Label Studio's API, as an annotator's script would."""
    for index, task in world.tasks.items():
        inside = world.plane.to_picture(world.truth, index)
        regions = [region_of(inside, region_id=f"true{index}", score=None)] if inside.any() else []
        if index not in leaving:
            world.installation.api(
                "POST", f"/api/tasks/{task}/annotations/", json={"result": regions, "lead_time": 1.0}
            )


def _annotated_count(world: World) -> int:
    """How many slices are in the newest mask, as the review queue shows it."""
    with requests.Session() as session:
        login = f"{world.installation.url}/accounts/login/"
        token = session.get(login, timeout=10).cookies["maskloop_csrf"]
        password = world.installation.password(Role.RADIOLOGIST)
        form = {"username": email_of(Role.RADIOLOGIST), "password": password, "csrfmiddlewaretoken": token}
        session.post(login, data=form, headers={"Referer": login}, timeout=10)
        page = session.get(f"{world.installation.url}/studies/mstt-199/review/", timeout=10).text
    found = re.search(r"<td>(\d+) of \d+</td>", page)
    return int(found.group(1)) if found else 0


def _give_verdict(world: World, verdict: str, *, comment: str = "") -> None:
    with browser_page() as page:
        page.goto(f"{world.installation.url}/studies/mstt-199/review/C0001/")
        page.fill("input[name=username]", email_of(Role.RADIOLOGIST))
        page.fill("input[name=password]", world.installation.password(Role.RADIOLOGIST))
        page.click("main button")

        def takes_a_verdict() -> bool:
            page.goto(f"{world.installation.url}/studies/mstt-199/review/C0001/")
            return page.locator("input[name=quality_score]").count() > 0

        eventually(takes_a_verdict, seconds=180, what="the mask of what counts, which the page says is being made")
        page.check("input[name=quality_score][value=sufficient]")
        page.fill("textarea[name=comment]", comment)
        page.check("input[name=accepts_unannotated]")
        page.locator(f"#slice-{world.middle}").scroll_into_view_if_needed()
        page.wait_for_timeout(1000)
        ARTEFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTEFACTS / f"review-{verdict}.png")
        page.click(f"button[name=verdict][value={verdict}]")
        page.wait_for_url("**/review/")
        row = page.locator("tr", has_text="C0001").inner_text()
    assert ("approved" if verdict == "approve" else "returned") in row


def test_a_model_learns_from_the_approved_mask_and_draws_in_the_editor(
    world: World, tell_figure: Callable[[str], None]
) -> None:
    manage = world.installation.manage
    trained = manage("train_model", "--steps", str(TRAINING_STEPS))
    assert trained["cases"] == ["C0001"]
    index = world.middle + NEIGHBOUR
    task = world.tasks[index]
    assert manage("promote_model", trained["model"], "--reason", "A trial.")["serves"] == ["automatic"]

    def predictions() -> list[dict[str, Any]]:
        rows = world.installation.api("GET", f"/api/tasks/{task}/")["predictions"]
        return [row for row in rows if row["model_version"] == trained["model"]]

    [prediction] = eventually(predictions, seconds=180, what="the new model's prediction")
    with browser_page() as page:
        editor = _editor(page, world, Role.DATA_MANAGER)  # the case is approved, and nobody draws in it any more
        editor.open_task(world.project, task)
        assert trained["model"] in editor.tabs()
        editor.screenshot("trained-model-prediction")
    assert prediction["result"], "the trained model drew nothing on a slice with tumour"
    dice = dice_of_masks(_pixels(prediction["result"][0], world.plane), world.plane.to_picture(world.truth, index))
    tell_figure(
        f"trained for {TRAINING_STEPS} steps on one case: Dice {dice:.3f} on its slice {index}, which nobody drew"
    )


def test_the_release_is_built_twice_alike_verified_and_a_flipped_bit_is_named(world: World) -> None:
    manage = world.installation.manage
    first = manage("build_release", "loop-test", "1.0.0", "--licence", "CC-BY-3.0")
    again = manage("build_release", "loop-test", "1.0.0", "--licence", "CC-BY-3.0")
    assert first["digest"] == again["digest"]
    folder = Path(first["folder"])
    assert manage("verify_release", str(folder))["digest"] == first["digest"]
    damaged = next(path for path in folder.rglob("*.nii.gz") if path.name.endswith(("_mask.nii.gz", "_dseg.nii.gz")))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    findings = manage("verify_release", str(folder), expect=1)["findings"]
    assert any(damaged.name in finding for finding in findings)
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)


def test_a_save_whose_webhook_was_lost_is_pulled(world: World) -> None:
    hooks = world.installation.api("GET", "/api/webhooks/", params={"project": world.project})
    world.installation.api("PATCH", f"/api/webhooks/{hooks[0]['id']}/", json={"is_active": False})
    try:
        world.installation.api(
            "POST", f"/api/tasks/{world.tasks[0]}/annotations/", json={"result": [], "lead_time": 1.0}
        )
    finally:
        world.installation.api("PATCH", f"/api/webhooks/{hooks[0]['id']}/", json={"is_active": True})
    assert world.installation.manage("pull_annotations")["stored"] == 1
    assert world.installation.manage("pull_annotations")["stored"] == 0


def test_a_refused_token_and_a_silent_label_studio_are_one_line_each_and_nothing_is_lost(world: World) -> None:
    sound = world.installation
    refused = Installation({**sound.environment, "LABEL_STUDIO_TOKEN": "0" * 40}, sound.folder)
    assert refused.manage("pull_annotations", expect=2)["code"] == "label-studio-token"
    silent = Installation({**sound.environment, "LABEL_STUDIO_URL": f"http://127.0.0.1:{free_port()}"}, sound.folder)
    assert silent.manage("publish_tasks", "--renew", expect=3)["code"] == "label-studio-down"
    assert sound.manage("pull_annotations")["deleted"] == 0


def test_a_second_radiologist_is_added_to_both_services(world: World) -> None:
    added = world.installation.manage("add_person", "second@hospital.org", "radiologist")
    with browser_page() as page:
        editor = LabelStudioPage(page, world.installation.label_studio_url)
        editor.sign_in("second@hospital.org", added["password"])
        page.goto(f"{world.installation.url}/studies/mstt-199/review/")
        assert page.get_by_role("heading", name="Review").is_visible()


def test_the_doctor_finds_every_link_good_and_leaves_nothing_behind(world: World) -> None:
    before = sorted(path.name for path in world.case_folder.parent.iterdir())
    examined = world.installation.manage("doctor")
    assert examined["failed"] is None
    assert examined["good"][-1] == "release"
    assert sorted(path.name for path in world.case_folder.parent.iterdir()) == before
    tasks = world.installation.api("GET", "/api/tasks/", params={"project": world.project, "page_size": 1000})
    assert {row["data"]["case"] for row in tasks["tasks"]} == set(before)


def test_a_project_deleted_in_label_studio_is_published_again_and_loses_no_annotation(world: World) -> None:
    annotated = _annotated_count(world)
    world.installation.api("DELETE", f"/api/projects/{world.project}/")
    published = world.installation.manage("publish_tasks", "--no-predictions")["cases"][0]
    assert published["tasks"] == len(world.tasks)
    [project] = world.installation.api("GET", "/api/projects/")["results"]
    rows = world.installation.api("GET", "/api/tasks/", params={"project": project["id"], "page_size": 1000})["tasks"]
    [anew] = [
        row["id"] for row in rows if row["data"]["case"] == "C0001" and row["data"]["slice"] == world.middle + NEIGHBOUR
    ]
    world.installation.api("POST", f"/api/tasks/{anew}/annotations/", json={"result": [], "lead_time": 1.0})
    pulled = world.installation.manage("pull_annotations")
    assert (pulled["deleted"], pulled["findings"]) == (0, [])
    eventually(lambda: _annotated_count(world) == annotated + 1, seconds=240, what="the mask with the new save")


def test_no_patient_identifier_left_the_ingest_step(world: World) -> None:
    """The patient's identifier is in no file, file name, record or log of the installation.

    Models that come with Maskloop say in public which patients of a public collection they learned from: those files,
    byte for byte as they are shipped, are left out.
    """
    canary = b"STS_001" if STS_DICOM.exists() else b"PHANTOM-0001"
    data = world.installation.folder / "data"
    files = [path for path in data.rglob("*") if path.is_file() and "phantom" not in path.relative_to(data).parts]
    assert len(files) > 50
    shipped = {(package / "model.json").read_bytes() for package in shipped_packages().values()}
    files = [path for path in files if path.name != "model.json" or path.read_bytes() not in shipped]
    hits = [path for path in files if canary in _content(path) or canary.decode() in path.name]
    assert hits == []


def _content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()

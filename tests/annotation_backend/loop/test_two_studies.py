"""Two studies in one installation, with a project each in the real Label Studio: saves, prompts, doctor and people."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from annotation_backend.labeling.masks.regions import region_of
from curation.slices.export import read_slices
from datasets.formats.nifti import read_mask
from datasets.phantom.cohort import write_phantom_cohort
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.shipped_protocols import shipped_text
from tests.annotation_backend.support.installation import Installation, running
from tests.annotation_backend.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.label_studio]

MIDDLE = 9


@dataclass(frozen=True)
class Place:
    """A study's case, its files, and its project and tasks in Label Studio."""

    study: str
    case: str
    folder: Path
    project: int
    tasks: dict[int, int]
    label: str

    @property
    def plane(self) -> PicturePlane:
        """The plane of its pictures."""
        [exported] = (self.folder / "slices").iterdir()
        return read_slices(exported).plane


@dataclass(frozen=True)
class World:
    """The running installation and its two studies."""

    installation: Installation
    first: Place
    second: Place


@pytest.fixture(scope="module")
def world(new_installation: Callable[[], Installation]) -> Iterator[World]:
    installation = new_installation()
    data, others = installation.folder / "studies", installation.folder / "others"
    write_phantom_cohort(data, patients=1, seed=5, size=80)
    write_phantom_cohort(others, patients=1, seed=6, size=80, prefix="OTHER")
    document = installation.folder / "lesions.toml"
    document.write_text(shipped_text("mstt-199").replace('name = "Tumour"', 'name = "Lesion"'))
    with running(installation, data=data):
        manage = installation.manage
        assert manage("create_study", "lesions", "--protocol", str(document))["study"] == "lesions"
        assert manage("ingest_studies", str(others), expect=2)["code"] == "study-unsaid"
        assert manage("ingest_studies", str(others), "--study", "lesions")["new"] == ["lesions-C0001"]
        manage("register_cases", "--study", "lesions")
        manage("export_slices", "--study", "lesions")
        manage("publish_tasks", "--study", "lesions")
        own = installation.folder / "data"
        yield World(
            installation,
            _place(installation, "mstt-199", "C0001", own, "Tumour"),
            _place(installation, "lesions", "lesions-C0001", own / "studies" / "lesions", "Lesion"),
        )


def _place(installation: Installation, study: str, case: str, folder: Path, label: str) -> Place:
    rows = {row["study"]: row for row in installation.manage("list_studies")["studies"]}
    project = rows[study]["label_studio_project"]
    listed = installation.api("GET", "/api/tasks/", params={"project": project, "page_size": 1000})["tasks"]
    assert {row["data"]["case"] for row in listed} == {case}, "no task of another study is in the project"
    tasks = {row["data"]["slice"]: row["id"] for row in listed}
    return Place(study, case, folder / "cases" / case, project, tasks, label)


def _drawn(place: Place) -> np.ndarray:
    mask = np.zeros((place.plane.height, place.plane.width), dtype=bool)
    mask[20:30, 25:40] = True
    return mask


def test_each_project_has_the_labels_of_its_study(world: World) -> None:
    for place, other in ((world.first, world.second), (world.second, world.first)):
        config = world.installation.api("GET", f"/api/projects/{place.project}/")["label_config"]
        assert place.label in config
        assert other.label not in config


def test_a_save_in_each_project_becomes_a_mask_of_its_own_case(world: World) -> None:
    for place in (world.first, world.second):
        region = region_of(_drawn(place), region_id="a", score=None, label=place.label)
        path = f"/api/tasks/{place.tasks[MIDDLE]}/annotations/"
        world.installation.api("POST", path, json={"result": [region], "lead_time": 1.0})
    for place in (world.first, world.second):
        [file] = eventually(
            lambda place=place: list((place.folder / "masks").glob("*.nii.gz")), seconds=180, what="the assembled mask"
        )
        assert np.array_equal(place.plane.to_picture(read_mask(file).foreground, MIDDLE), _drawn(place))
        versions = world.installation.manage("compare_annotations", place.case, str(MIDDLE))["versions"]
        assert [version["areas"] for version in versions] == [{place.label: 150}]


def test_a_prompt_is_answered_with_the_label_of_its_study(world: World) -> None:
    for place in (world.first, world.second):
        [backend] = world.installation.api("GET", "/api/ml", params={"project": place.project})
        assert backend["state"] == "CO"
        value = {"x": 30, "y": 25, "width": 30, "height": 30, "rotation": 0}
        box = {
            "id": "b", "from_name": "smart_box", "to_name": "image", "type": "rectanglelabels", "origin": "manual",
            "original_width": place.plane.width, "original_height": place.plane.height, "image_rotation": 0,
            "value": {**value, "rectanglelabels": [f"{place.label} box"]},
        }  # fmt: skip
        body = {"task": place.tasks[MIDDLE + 1], "context": {"result": [box]}}
        answer = world.installation.api("POST", f"/api/ml/{backend['id']}/interactive-annotating", json=body)
        labels = {label for region in answer["data"]["result"] for label in region["value"].get("brushlabels", [])}
        assert labels <= {place.label}


def test_a_change_in_one_project_is_mended_there_and_nothing_is_lost(world: World) -> None:
    before = {place.project: _config(world, place) for place in (world.first, world.second)}
    path = f"/api/projects/{world.second.project}/"
    world.installation.api("PATCH", path, json={"expert_instruction": "Draw whatever you like."})
    eventually(
        lambda: {place.project: _config(world, place) for place in (world.first, world.second)} == before,
        seconds=90,
        what="the instruction as it was",
    )
    for place in (world.first, world.second):
        pulled = world.installation.manage("pull_annotations", "--study", place.study)
        assert (pulled["seen"], pulled["stored"], pulled["deleted"]) == (1, 0, 0)


def _config(world: World, place: Place) -> Any:
    project = world.installation.api("GET", f"/api/projects/{place.project}/")
    return project["label_config"], project["expert_instruction"]


def test_the_doctor_rehearses_in_both_and_leaves_nothing_behind(world: World) -> None:
    nobody = world.installation.manage("doctor", "--study", "lesions", expect=1)
    assert (nobody["failed"], nobody["failures"][0]["code"]) == ("review", "no-radiologist")
    world.installation.manage("add_person", "radiologist@maskloop.local", "radiologist", "--study", "lesions")
    examined = world.installation.manage("doctor")
    assert examined["failed"] is None
    assert {"mstt-199: release", "lesions: release"} <= set(examined["good"])
    rows = {row["study"]: row["cases"] for row in world.installation.manage("list_studies")["studies"]}
    assert rows == {"mstt-199": 1, "lesions": 1}
    for place in (world.first, world.second):
        listed = world.installation.api("GET", "/api/tasks/", params={"project": place.project, "page_size": 1000})
        assert {row["data"]["case"] for row in listed["tasks"]} == {place.case}


def test_a_role_in_one_study_is_taken_and_its_pictures_get_new_addresses(world: World) -> None:
    manage = world.installation.manage
    added = manage("add_person", "second@hospital.org", "annotator", "--study", "mstt-199")
    assert added["password"]
    assert "password" not in manage("add_person", "second@hospital.org", "annotator", "--study", "lesions")
    tabs = {place.study: _tabs(world, place) for place in (world.first, world.second)}
    assert all("Mine: second" in titles for titles in tabs.values())
    pictures = {place.study: _picture(world, place) for place in (world.first, world.second)}
    assert manage("remove_person", "second@hospital.org", "--study", "lesions")["renewed"] == 1
    assert requests.get(pictures["mstt-199"], timeout=30).status_code == 200
    assert requests.get(pictures["lesions"], timeout=30).status_code == 404
    renewed = eventually(
        lambda: (new := _picture(world, world.second)) != pictures["lesions"] and new, seconds=60, what="the address"
    )
    assert requests.get(str(renewed), timeout=30).status_code == 200


def _tabs(world: World, place: Place) -> set[str]:
    rows = world.installation.api("GET", "/api/dm/views/", params={"project": place.project})
    return {row["data"]["title"] for row in rows}


def _picture(world: World, place: Place) -> str:
    return str(world.installation.api("GET", f"/api/tasks/{place.tasks[MIDDLE]}/")["data"]["annotated"])

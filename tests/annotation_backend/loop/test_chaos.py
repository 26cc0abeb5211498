"""Five people save while each process is killed, Label Studio stops, its answers are cut, and the disk is full.

No save that Label Studio acknowledged is lost, our pages answer or say in words why not, and within a minute after each
fault everything is back.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import email_of
from annotation_backend.labeling.masks.regions import mask_of
from curation.slices.export import read_slices
from datasets.formats.nifti import read_mask
from datasets.phantom.cohort import write_phantom_cohort
from tests.annotation_backend.loop.chaos import (
    Annotator,
    Cut,
    Proxy,
    Reader,
    nothing_can_be_written,
    processes_of,
    rows_of,
    sign_in,
)
from tests.annotation_backend.support.installation import (
    Installation,
    claimed,
    free_port,
    running,
    signed_in_at_label_studio,
)
from tests.annotation_backend.support.waiting import eventually

pytestmark = pytest.mark.label_studio

BACK_SECONDS = 60.0
"""The bound that was asked for; everything is to be back that long after a fault is over."""

STOPPED_SECONDS = 60.0
CUT_SECONDS = 8.0
FULL_SECONDS = 12.0


@dataclass
class World:
    """A running installation, its proxy, and who works on it."""

    installation: Installation
    proxy: Proxy
    annotators: list[Annotator]
    reader: Reader

    @property
    def acknowledged(self) -> dict[int, dict[str, Any]]:
        """All saves that were answered so far, by Label Studio's number."""
        return {number: save for one in self.annotators for number, save in list(one.acknowledged.items())}

    def missing_saves(self) -> set[int]:
        """Saves that were answered and are not here."""
        known = {number for (number,) in rows_of(self.installation, "select label_studio_id from labeling_annotation")}
        return set(self.acknowledged) - known

    def missing_processes(self) -> object:
        """What the web service says is missing, or that it does not answer."""
        try:
            return requests.get(f"{self.installation.url}/alive", timeout=3).json()["missing"]
        except requests.RequestException:
            return "the web service"


@pytest.fixture(scope="module")
def world(new_installation: Callable[[], Installation], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    fresh, own, studies = new_installation(), free_port(), tmp_path_factory.mktemp("studies")
    write_phantom_cohort(studies, patients=2)
    own_port = {"MASKLOOP_LABEL_STUDIO_PORT": str(own), "MASKLOOP_WEB_PROCESSES": "1"}
    installation = replace(fresh, environment={**fresh.environment, **own_port})
    with (
        closing(Proxy(int(fresh.label_studio_url.rpartition(":")[2]), to=own)) as proxy,
        running(installation, data=studies),
    ):
        found = _world(installation, proxy, f"http://127.0.0.1:{own}")
        for one in (*found.annotators, found.reader):
            one.start()
        yield found
        for one in (*found.annotators, found.reader):
            one.over.set()
        proxy.close()


def _world(installation: Installation, proxy: Proxy, studio: str) -> World:
    people = {email_of(Role.ANNOTATOR): installation.password(Role.ANNOTATOR)}
    for number in range(2, 6):
        email = f"annotator-{number}@hospital.org"
        people[email] = installation.manage("add_person", email, Role.ANNOTATOR.value)["password"]
    tasks = _tasks(installation)
    annotators = [
        Annotator(_at_work(studio, email, password, tasks[number::5]), studio, tasks[number::5])
        for number, (email, password) in enumerate(people.items())
    ]
    form = {"username": email_of(Role.RADIOLOGIST), "password": installation.password(Role.RADIOLOGIST)}
    browser = sign_in(installation.url, "/accounts/login/", form)
    return World(installation, proxy, annotators, Reader(installation.url, form, browser))


def _at_work(studio: str, email: str, password: str, tasks: list[dict[str, Any]]) -> requests.Session:
    """A person's session in Label Studio, with these tasks for their own."""
    session = signed_in_at_label_studio(studio, email, password)
    for task in tasks:
        assert claimed(session, studio, task["project"], task["id"]) == 200
    return session


def _tasks(installation: Installation) -> list[dict[str, Any]]:
    [project] = installation.api("GET", "/api/projects/")["results"]
    rows = installation.api("GET", "/api/tasks/", params={"project": project["id"], "page_size": 1000})["tasks"]
    planes = {code: _plane(installation, code) for code in {row["data"]["case"] for row in rows}}
    return [{**row, "plane": planes[row["data"]["case"]]} for row in rows]


def _plane(installation: Installation, code: str) -> Any:
    [exported] = (installation.folder / "data" / "cases" / code / "slices").iterdir()
    return read_slices(exported).plane


def _back(world: World, tell: Callable[[str], None], began: float) -> None:
    """Waits until everything is back after a fault that was over at `began`, and says how long that took."""
    phase, saves = world.reader.phase, set(world.acknowledged)

    def everything() -> bool:
        new = set(world.acknowledged) - saves
        return bool(new) and not world.missing_processes() and not (saves | new) & world.missing_saves()

    left = began + BACK_SECONDS - time.monotonic()
    eventually(everything, seconds=left, what=f"everything back after {phase}")
    tell(f"chaos, {phase}: everything back {time.monotonic() - began:.0f} s after it was over")


@pytest.mark.parametrize("name", ["worker", "trainer", "reconciler", "web", "label_studio"])
def test_a_killed_process_comes_back_and_no_save_is_lost(world: World, tell_figure, name: str) -> None:
    world.reader.phase = f"{name} killed"
    before = processes_of(world.installation)
    began = time.monotonic()
    before[name].kill()
    eventually(
        lambda: (now := processes_of(world.installation).get(name)) and now.pid != before[name].pid,
        seconds=BACK_SECONDS,
        what=f"the {name} again",
    )
    _back(world, tell_figure, began)
    after = processes_of(world.installation)
    assert {one: process.pid for one, process in after.items() if one != name} == {
        one: process.pid for one, process in before.items() if one != name
    }, "another process ended with it"


def test_label_studio_stopped_for_a_minute_holds_nobody_up_here(world: World, tell_figure) -> None:
    world.reader.phase = "Label Studio stopped"
    master = processes_of(world.installation)["label_studio"]
    studio = [master, *master.children()]
    for process in studio:
        process.send_signal(signal.SIGSTOP)
    try:
        until = time.monotonic() + STOPPED_SECONDS
        status, seconds = _change_settings(world.installation)
        assert status == 503
        tell_figure(f"chaos: a change of settings is refused after {seconds:.1f} s while Label Studio is stopped")
        time.sleep(max(0.0, until - time.monotonic()))
    finally:
        for process in studio:
            process.send_signal(signal.SIGCONT)
    _back(world, tell_figure, time.monotonic())
    assert _change_settings(world.installation)[0] == 302


def _change_settings(installation: Installation) -> tuple[int, float]:
    """Switches oedema on as a data manager does; status and seconds."""
    form = {"username": email_of(Role.DATA_MANAGER), "password": installation.password(Role.DATA_MANAGER)}
    browser = sign_in(installation.url, "/accounts/login/", form)
    page = f"{installation.url}/studies/mstt-199/settings/"
    browser.get(page, timeout=20)
    wanted = {"mask_format": "brush", "label_2": "on", "csrfmiddlewaretoken": browser.cookies["maskloop_csrf"]}
    began = time.monotonic()
    answer = browser.post(page, data=wanted, headers={"Referer": page}, allow_redirects=False, timeout=60)
    return answer.status_code, time.monotonic() - began


@pytest.mark.parametrize("cut", [Cut.HALF, Cut.PAGE, Cut.CLOSED], ids=lambda cut: cut.name.lower())
def test_answers_of_label_studio_that_are_cut_cost_nothing(world: World, tell_figure, cut: Cut) -> None:
    world.reader.phase = f"answers cut ({cut.name.lower()})"
    world.proxy.cut = cut
    time.sleep(CUT_SECONDS)
    world.proxy.cut = Cut.NOTHING
    _back(world, tell_figure, time.monotonic())


def test_a_full_disk_is_said_and_passes(world: World, tell_figure) -> None:
    world.reader.phase = "disk full"
    with nothing_can_be_written(processes_of(world.installation)["up"]):
        time.sleep(FULL_SECONDS)
    _back(world, tell_figure, time.monotonic())


def test_every_acknowledged_save_is_kept_and_the_newest_of_each_slice_is_in_its_mask(world: World, tell_figure) -> None:
    world.reader.phase = "after all"
    for one in world.annotators:
        one.over.set()
    for one in world.annotators:
        one.join(30)
    saves = world.acknowledged
    raw = dict(rows_of(world.installation, "select label_studio_id, raw from labeling_annotation"))
    assert set(saves) <= set(raw)
    assert all(json.loads(raw[number])["result"] == save["result"] for number, save in saves.items())
    eventually(lambda: not _slices_behind(world), seconds=BACK_SECONDS, what="all masks")
    failed = sum((one.failed for one in world.annotators), start=type(world.annotators[0].failed)())
    tell_figure(f"chaos: {len(saves)} saves acknowledged, all kept; {sum(failed.values())} refused: {dict(failed)}")


def _slices_behind(world: World) -> list[str]:
    """Slices whose newest save in Label Studio is not what the case's newest mask shows."""
    installation, behind = world.installation, []
    files = dict(rows_of(installation, _NEWEST_MASKS))
    for task in world.annotators[0].tasks + [one for other in world.annotators[1:] for one in other.tasks]:
        saves = installation.api("GET", f"/api/tasks/{task['id']}/annotations/")
        if not saves:
            continue
        newest = max(saves, key=lambda save: (save["updated_at"], save["id"]))
        code, index = task["data"]["case"], task["data"]["slice"]
        plane = task["plane"]
        drawn = mask_of(newest["result"], height=plane.height, width=plane.width).pixels
        mask = read_mask(Path(installation.folder / "data" / "cases" / code / files[code])) if code in files else None
        if mask is None or not np.array_equal(plane.to_picture(mask.foreground, index), drawn):
            behind.append(f"{code} slice {index}")
    return behind


_NEWEST_MASKS = (
    "select c.code, m.file from labeling_casemask m join cases_case c on c.id = m.case_id"
    " where m.id = (select max(id) from labeling_casemask where case_id = m.case_id)"
)


def test_our_pages_answered_or_said_why_not(world: World, tell_figure) -> None:
    world.reader.over.set()
    world.reader.join(30)
    for what, seconds in world.reader.seconds.items():
        tell_figure(f"chaos, pages, {what}: {len(seconds)} answers, slowest {max(seconds):.1f} s")
    nobody = [what for what in world.reader.seconds if "nobody there" in what]
    assert [what for what in nobody if "web killed" not in what] == []
    assert world.reader.wrong == []

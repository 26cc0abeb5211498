"""Parts of the chaos test: a proxy that cuts answers, people who save, a reader of pages, and faults."""

import re
import resource
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import numpy as np
import psutil
import requests

from annotation_backend.labeling.masks.regions import region_of
from tests.annotation_backend.support.installation import Installation

PATIENCE = 5.0
"""Seconds that a person waits for Label Studio's answer to a save."""

HANGS = 30.0
"""A page that takes longer hangs."""

NAMES = {
    "label_studio": "label_studio_wsgi",
    "web": "annotation_backend.wsgi",
    "trainer": "--queue-name training",
    "reconciler": "pull_annotations",
    "worker": "db_worker",
}
"""Words by which a process of the Procfile is known; the first that fits."""


class Cut(Enum):
    """What the proxy does to an answer."""

    NOTHING = auto()
    HALF = auto()
    PAGE = auto()
    CLOSED = auto()


class Proxy:
    """Between our service and Label Studio."""

    def __init__(self, port: int, to: int) -> None:
        self.cut = Cut.NOTHING
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Nothing answers at its port any more."""
        with suppress(OSError):  # closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, ours: socket.socket) -> None:
        with suppress(OSError), ours:
            if self.cut is Cut.CLOSED:
                return
            if self.cut is Cut.PAGE:
                ours.recv(1 << 16)
                ours.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")
                return
            with socket.create_connection(("127.0.0.1", self._to)) as theirs:
                threading.Thread(target=_pour, args=(ours, theirs), daemon=True).start()
                self._answer(theirs, ours)

    def _answer(self, theirs: socket.socket, ours: socket.socket) -> None:
        while part := theirs.recv(1 << 16):
            if self.cut is Cut.HALF:
                ours.sendall(part[: len(part) // 2])
                return
            ours.sendall(part)


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(1 << 16):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


def sign_in(address: str, page: str, form: dict[str, str]) -> requests.Session:
    """A signed-in browser of either service; raises where it is refused."""
    browser = requests.Session()
    browser.trust_env = False
    found = browser.get(address + page, timeout=HANGS)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', found.text)
    found.raise_for_status()
    assert token is not None
    body = {**form, "csrfmiddlewaretoken": token[1]}
    headers = {"Referer": address + page}
    answer = browser.post(address + page, data=body, headers=headers, allow_redirects=False, timeout=HANGS)
    answer.raise_for_status()
    assert answer.status_code == 302, "the password was not taken"
    return browser


@dataclass(eq=False)
class Annotator(threading.Thread):
    """Submits one drawing after another, and keeps those whose submit was answered."""

    browser: requests.Session
    address: str
    tasks: list[dict[str, Any]]
    pause: float = 3.0
    acknowledged: dict[int, dict[str, Any]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.browser.headers["X-CSRFToken"] = self.browser.cookies.get("csrftoken", "")

    def run(self) -> None:
        """Until `over`."""
        number = 0
        while not self.over.wait(self.pause):
            self._submit(self.tasks[number % len(self.tasks)], number)
            number += 1

    def _submit(self, task: dict[str, Any], number: int) -> None:
        body = {"result": [_region(task, number)], "lead_time": 1.0}
        address = f"{self.address}/api/tasks/{task['id']}/annotations/"
        try:
            answer = self.browser.post(address, json=body, timeout=PATIENCE)
        except requests.RequestException as error:
            self.failed[type(error).__name__] += 1
            return
        if answer.status_code == 201:
            self.acknowledged[answer.json()["id"]] = {"task": task["id"], "result": body["result"]}
        else:
            self.failed[str(answer.status_code)] += 1


def _region(task: dict[str, Any], number: int) -> dict[str, Any]:
    """A rectangle that no other save has on this task."""
    mask = np.zeros((task["plane"].height, task["plane"].width), dtype=bool)
    top, left = 2 + number % 11, 2 + (number // 11) % 11
    mask[top : top + 6 + number % 5, left : left + 7] = True
    return region_of(mask, region_id=f"a{number}", score=None)


@dataclass(eq=False)
class Reader(threading.Thread):
    """Asks for our pages again and again, and signs in anew, and keeps what was answered, and how fast."""

    address: str
    form: dict[str, str]
    browser: requests.Session
    seconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    phase: str = "before"

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()

    def run(self) -> None:
        """Until `over`."""
        while not self.over.wait(0.5):
            for path in ("/alive", "/", "/studies/mstt-199/cases/", "/studies/mstt-199/review/"):
                self._look(path, lambda path=path: self.browser.get(self.address + path, timeout=HANGS))
            self._look("sign-in", self._sign_in)

    def _sign_in(self) -> requests.Response:
        """The answer to the form; the page with the form where that is refused already."""
        page = f"{self.address}/accounts/login/"
        with requests.Session() as browser:
            found = browser.get(page, timeout=HANGS)
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', found.text)
            if token is None:
                return found
            body = {**self.form, "csrfmiddlewaretoken": token[1]}
            return browser.post(page, data=body, headers={"Referer": page}, allow_redirects=False, timeout=HANGS)

    def _as_a_browser(self, ask: Any) -> Any:
        """Asks once more where a kept connection was closed while the question was on its way, as browsers do."""
        try:
            return ask()
        except requests.ConnectionError:
            return ask()

    def _look(self, what: str, ask: Any) -> None:
        began, phase = time.monotonic(), self.phase
        try:
            answer = self._as_a_browser(ask)
        except requests.ConnectionError:
            self.seconds.setdefault(f"{self._since(phase)}: nobody there", []).append(time.monotonic() - began)
            return
        except requests.Timeout:
            self.wrong.append(f"{self._since(phase)}: {what} did not answer in {HANGS:.0f} s")
            return
        self.seconds.setdefault(f"{self._since(phase)}: {answer.status_code}", []).append(time.monotonic() - began)
        if answer.status_code not in (200, 302) and not (answer.status_code == 503 and "Not now" in answer.text):
            self.wrong.append(f"{self._since(phase)}: {what} answered {answer.status_code}")

    def _since(self, phase: str) -> str:
        """The phase, or both where the next fault began while an answer was awaited."""
        return phase if phase == self.phase else f"{phase}, then {self.phase}"


def processes_of(installation: Installation) -> dict[str, psutil.Process]:
    """The processes of `up` by the Procfile's names, and `up` itself."""
    data = installation.environment["MASKLOOP_DATA"]
    found: dict[str, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if process.environ().get("MASKLOOP_DATA") == data and "manage.py up" in words:
                found["up"] = process
    for child in found["up"].children():
        with suppress(psutil.Error):  # it has just ended
            words = " ".join(child.cmdline())
            name = next((name for name, word in NAMES.items() if word in words), None)
            found |= {name: child} if name else {}
    return found


@contextmanager
def nothing_can_be_written(up: psutil.Process) -> Iterator[None]:
    """A full disk for all processes of an installation: no file of theirs takes another byte."""
    limited = [process.pid for process in (up, *up.children(recursive=True))]
    for pid in limited:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for pid in {*limited, *(process.pid for process in up.children(recursive=True))}:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def rows_of(installation: Installation, query: str) -> list[tuple[Any, ...]]:
    """A query of our database, read only."""
    file = f"file:{installation.environment['MASKLOOP_DATA']}/maskloop.sqlite3?mode=ro"
    with sqlite3.connect(file, uri=True, timeout=30) as database:
        return list(database.execute(query))

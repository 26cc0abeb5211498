"""A whole installation started by `up` in a folder of its own: Label Studio, web service and worker for real."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from annotation_backend.environment import ROOT, fresh_environment, password_variable

if TYPE_CHECKING:
    from annotation_backend.accounts.models import Role

READY_SECONDS = 900.0


@dataclass(frozen=True)
class Installation:
    """Where the running installation answers, and how to run its commands."""

    environment: dict[str, str]
    folder: Path

    @property
    def url(self) -> str:
        """The web service."""
        return self.environment["MASKLOOP_URL"]

    @property
    def label_studio_url(self) -> str:
        """Label Studio."""
        return self.environment["LABEL_STUDIO_URL"]

    @property
    def token(self) -> str:
        """Label Studio's token."""
        return self.environment["LABEL_STUDIO_TOKEN"]

    def password(self, role: "Role") -> str:
        """First password of a role's account."""
        return self.environment[password_variable(role.value)]

    def manage(self, *words: str, expect: int = 0) -> dict[str, Any]:
        """Runs a management command with --json; fails when it leaves with another status than `expect`."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words, "--json"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, f"{words} left with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return dict(json.loads(done.stdout)) if done.stdout.strip() else {}

    def api(self, method: str, path: str, **options: Any) -> Any:
        """One request to Label Studio as its administrator; JSON or None."""
        headers = {"Authorization": f"Token {self.token}"}
        answer = requests.request(method, self.label_studio_url + path, headers=headers, timeout=60, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def project_and_tasks(self, case: str = "C0001") -> tuple[int, dict[int, int]]:
        """The one project's number, and a case's tasks by slice."""
        [project] = self.api("GET", "/api/projects/")["results"]
        rows = self.api("GET", "/api/tasks/", params={"project": project["id"], "page_size": 1000})["tasks"]
        return project["id"], {row["data"]["slice"]: row["id"] for row in rows if row["data"]["case"] == case}


def signed_in_at_label_studio(url: str, email: str, password: str) -> requests.Session:
    """A session of Label Studio after a sign-in at Maskloop, to which it sends a browser that nobody signed in."""
    session = requests.Session()
    session.headers["Accept"] = "text/html"
    page = session.get(f"{url}/user/login/", timeout=60)
    token = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    form = {"username": email, "password": password, "csrfmiddlewaretoken": token}
    session.post(page.url, form, headers={"Referer": page.url}, timeout=60)
    session.headers.update({"Accept": "*/*", "Referer": f"{url}/"})
    return session


def claimed(session: requests.Session, url: str, project: int, task: int) -> int:
    """Opens a task's page as a person does who comes from Maskloop, which makes a free slice theirs; the status."""
    place = f"/projects/{project}/data?task={task}"
    page = {"Accept": "text/html"}
    return session.get(f"{url}/user/login/", params={"next": place}, headers=page, timeout=60).status_code


def free_port() -> int:
    """A port that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fresh_installation(folder: Path) -> Installation:
    """An installation that was never started, with its own secrets, ports and data folder."""
    own = {
        **fresh_environment(),
        "MASKLOOP_URL": f"http://127.0.0.1:{free_port()}",
        "LABEL_STUDIO_URL": f"http://127.0.0.1:{free_port()}",
        "MASKLOOP_DATA": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "annotation_backend.settings",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    return Installation({**os.environ, **own}, folder)


@contextmanager
def running(installation: Installation, *, data: Path | None = None) -> Iterator[Installation]:
    """Runs `up` until the block ends, then stops it as Ctrl-C does and checks that nothing is left running."""
    log = installation.folder / "up.log"
    command = [sys.executable, "manage.py", "up", *(["--data", str(data)] if data else [])]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env=installation.environment, stdout=stream, stderr=stream)
        try:
            _wait_until_ready(process, log)
            yield installation
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
    for url in (installation.url, installation.label_studio_url):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0, (
                f"something still answers at {url}"
            )


def _wait_until_ready(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while "Ctrl-C stops it" not in log.read_text(errors="replace"):
        assert process.poll() is None, f"up ended with {process.returncode}:\n{log.read_text(errors='replace')}"
        assert time.monotonic() < deadline, f"up was not ready in time:\n{log.read_text(errors='replace')}"
        time.sleep(1)

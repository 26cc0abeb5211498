"""Every address of Label Studio as a request: its values filled in, for whoever asks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from annotation_backend.labeling.studio_door.addresses import TABLE, Row

_VALUES = (
    (r"\(\?P<format>[^)]*\)/\?", "json"), (r"\(\?P<app_label>[^)]*\)", "users"), (r"\(\?P<path>\.\*\)", "x.txt"),
    (r"\(\?P<url>\.\*\)", "x/"), (r"\(\?P<\w+>[^)]*\)\??", "1"), (r"<drf_format_suffix:format>", ".json"),
    (r"<(?:path|str):\w+>", "x"), (r"<sub_path>", "x"), (r"<id>", "1"), (r"\?$", ""), (r"\\", ""), (r"[\^$]", ""),
    (r"/\?", "/"),
)  # fmt: skip
"""What stands in a route for what is in an address; numbers are filled in before."""

_TAKEN = "version/"
"""Label Studio's route of its version takes every address in which these letters are; it is tried where it says so."""


@dataclass(frozen=True)
class Things:
    """Label Studio's numbers of things that an address may name."""

    project: int
    task: int
    annotation: int
    draft: int
    backend: int
    person: int

    @property
    def by_beginning(self) -> Mapping[str, int]:
        """The number that stands in an address, by how it begins."""
        return {
            "projects": self.project, "api/projects": self.project, "api/tasks": self.task, "tasks": self.task,
            "api/annotations": self.annotation, "api/drafts": self.draft, "api/ml": self.backend,
            "api/users": self.person,
        }  # fmt: skip


def requests_of(things: Things) -> Iterator[tuple[Row, str, str]]:
    """Each row of the door's table with one of its methods and an address."""
    for row in TABLE.rows:
        address = _address(row.route, things)
        if _TAKEN not in address or row.name in ("version", "api-version"):
            yield from ((row, method, address) for method in sorted(row.methods))


def answer_to(session: requests.Session, url: str, method: str, address: str, things: Things) -> requests.Response:
    """Sends a request as the editor would, with the project in its query and a body of JSON."""
    query: dict[str, Any] = {"project": things.project}
    if address.startswith("/api/dm/actions"):
        query["id"] = "next_task"
    body: dict[str, Any] | None = None
    if method != "GET":
        body = {"task": things.task, "context": {"result": []}} if "interactive" in address else {}
        if "/annotations/" in address or "/drafts" in address:
            body = {"result": [], "lead_time": 1.0}
    return session.request(
        method, url + address, params=query, json=body, timeout=60, allow_redirects=False, headers={"Accept": "*/*"}
    )


def is_refused(answer: requests.Response) -> bool:
    """Whether the door refused it, or Label Studio before it: a form without its token."""
    if answer.status_code == 403 and "CSRF" in answer.text:
        return True
    return answer.headers.get("Content-Type", "").startswith("application/json") and str(_code(answer)).startswith(
        "door-"
    )


def _code(answer: requests.Response) -> object:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found.get("code") if isinstance(found, dict) else None


def _address(route: str, things: Things) -> str:
    text = route.lstrip("^")
    number = next((value for start, value in things.by_beginning.items() if text.startswith(f"{start}/")), 1)
    text = text.replace("<int:annotation_id>", str(things.annotation))
    text = re.sub(r"<int:\w+>|\(\?P<pk>[^)]*\)", str(number), text, count=1)
    text = re.sub(r"<int:\w+>", "1", text)
    for pattern, value in _VALUES:
        text = re.sub(pattern, value, text)
    return f"/{text}"

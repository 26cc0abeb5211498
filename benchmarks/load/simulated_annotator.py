"""One annotator without a browser: the requests that Label Studio's editor (1.23.2) sends, in its order.

Recorded in Chromium: the data manager is opened once; a task is opened from its list, clicked at (Alt+click for a
negative one; points accumulate), drafted, submitted and read again; a timer asks for the project's counts.
"""

import random
import re
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import requests
from django.utils import timezone
from numpy.typing import NDArray

from benchmarks.load.figures import Timings

TIMEOUT_SECONDS = 120.0
TRIES = 6

_TIMER_SECONDS = 10.0
_TIMER = "task_count,task_number,annotation_count,num_tasks_with_annotations,queue_total"
_STROKE_RADIUS = 3
_NEGATIVE = (False, False, True)
_POINT_WIDTH_PERCENT = 0.26


@dataclass(frozen=True)
class Server:
    """A Label Studio to load: its address, project, our models there, and the names of the controls."""

    url: str
    project: int
    ml_backend: int
    controls: Mapping[str, str]


@dataclass(frozen=True)
class Pace:
    """Pace of an annotator.

    Args:
        think: Least and most seconds before each action (opening, each click, accepting, submitting).
        again: Seconds until an annotator who was told to try again does.
    """

    think: tuple[float, float] = (8.0, 15.0)
    again: float = 2.0


@dataclass(frozen=True, eq=False)
class Assignment:
    """A task, and the tumour that the person sees there (height, width); where there is none, a neighbour's."""

    task: int
    tumour: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Submitted:
    """A submit that Label Studio acknowledged: the annotation's id and the mask (height, width) that was sent."""

    task: int
    annotation: int
    mask: NDArray[np.bool_]


@dataclass
class Annotator:
    """A signed-in person who works through tasks."""

    server: Server
    email: str
    password: str
    timings: Timings
    pace: Pace
    random: random.Random
    submitted: list[Submitted] = field(default_factory=list)
    unacknowledged: list[int] = field(default_factory=list)
    _session: requests.Session = field(default_factory=requests.Session)
    _timer_at: float = 0.0

    def sign_in(self) -> None:
        """Signs in as the login page does.

        Raises:
            RuntimeError: Label Studio refuses the sign-in.
        """
        page = self._session.get(f"{self.server.url}/user/login/", timeout=TIMEOUT_SECONDS)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        form = {"email": self.email, "password": self.password, "persist_session": "on"}
        answer = self._session.post(
            f"{self.server.url}/user/login/",
            data={**form, "csrfmiddlewaretoken": token.group(1) if token else ""},
            headers={"Referer": f"{self.server.url}/user/login/"},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        if answer.status_code != 302:
            raise RuntimeError(f"Label Studio refused the sign-in of an annotator (status {answer.status_code}).")

    def work(self, assignments: "deque[Assignment]", over: threading.Event) -> None:
        """Works until `over` is set or no task is left; a task that was begun is finished."""
        self._open_data_manager()
        while not over.is_set() and assignments:
            self._annotate(assignments.popleft())

    def _annotate(self, assignment: Assignment) -> None:
        started_at = timezone.now()
        task = self._open(assignment.task)
        if task is None:
            return
        points: list[dict[str, Any]] = []
        answer: dict[str, Any] = {}
        for negative in _NEGATIVE:
            self._think()
            points.append(self._point(assignment.tumour, negative=negative))
            answer = self._click(assignment.task, points) or answer
        self._think()
        result, mask = self._finished(answer, assignment.tumour)
        body = _save_body(result, task, started_at, self.server.project)
        body["draft_id"] = self._draft(assignment.task, body)
        self._think()
        self._submit(assignment.task, body, mask)
        self._think()

    def _open_data_manager(self) -> None:
        project = {"project": self.server.project}
        for path in ("/api/ml", "/api/dm/columns", "/api/dm/project", "/api/users", "/api/dm/views"):
            self._request("open the list", "GET", path, params=project)
        self._request("open the list", "GET", "/api/tasks", params={**project, "page": 1, "page_size": 30})

    def _open(self, identifier: int) -> dict[str, Any] | None:
        """The task with its pictures; its predictions are drawn now if there are none."""
        began = time.perf_counter()
        links = {"project": self.server.project, "expand": "label"}
        self._request("open: labels", "GET", "/api/label_links", params=links)
        path, project = f"/api/tasks/{identifier}", {"project": self.server.project}
        task = self._request("open: task", "GET", path, params=project)
        for name in ("annotated", "companion") if task else ():
            self._request("open: picture", "GET", task["data"][name], headers={"Origin": self.server.url})
        self.timings.add("open, whole", time.perf_counter() - began, "" if task else "not opened")
        return task

    def _click(self, task: int, points: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The model's region for the points so far; asks again if the service is busy."""
        path = f"/api/ml/{self.server.ml_backend}/interactive-annotating"
        kind = f"click {len(points)}"
        for _ in range(TRIES):
            began = time.perf_counter()
            answer = self._send("POST", path, json={"task": task, "context": {"result": points}})
            refusal = refusal_in(answer)
            self.timings.add(kind, time.perf_counter() - began, refusal)
            if not refusal:
                regions = answer["data"].get("result") or []
                return next((region for region in regions if "rle" in region.get("value", {})), None)
            time.sleep(self.pace.again)
        self.timings.add(kind, 0.0, "given up")
        return None

    def _point(self, tumour: NDArray[np.bool_], *, negative: bool) -> dict[str, Any]:
        """A smart point inside the tumour, or just outside it, as the editor sends it."""
        height, width = tumour.shape
        places = np.argwhere(_around(tumour) if negative else tumour)
        row, column = places[self.random.randrange(len(places))]
        label = self.server.controls["point_label"]
        return {
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "x": 100 * (int(column) + 0.5) / width,
                "y": 100 * (int(row) + 0.5) / height,
                "width": _POINT_WIDTH_PERCENT,
                "labels": [label],
                "keypointlabels": [label],
            },
            "is_positive": not negative,
            "id": f"{self.random.getrandbits(60):x}"[:10],
            "from_name": self.server.controls["point"],
            "to_name": self.server.controls["image"],
            "type": "keypointlabels",
            "origin": "manual",
        }

    def _finished(
        self, answer: Mapping[str, Any], tumour: NDArray[np.bool_]
    ) -> tuple[list[dict[str, Any]], NDArray[np.bool_]]:
        """The accepted answer with a stroke of the person's own, as regions and as a mask, by the SDK's codec."""
        from label_studio_sdk.converter.brush import decode_rle, mask2rle

        height, width = tumour.shape
        mask = np.zeros((height, width), dtype=bool)
        if answer:
            mask |= decode_rle(list(answer["value"]["rle"])).reshape(height, width, 4)[..., 3] > 127
        mask |= _disc(tumour.shape, centre=self._inside(tumour))
        label = self.server.controls["brush_label"]
        region = {
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": list(map(int, mask2rle(mask.astype(np.uint8) * 255))),
                "brushlabels": [label],
            },
            "id": str(answer.get("id") or f"{self.random.getrandbits(60):x}"[:10]),
            "from_name": self.server.controls["brush"],
            "to_name": self.server.controls["image"],
            "type": "brushlabels",
            "origin": "manual",
        }
        return [region], mask

    def _inside(self, tumour: NDArray[np.bool_]) -> tuple[int, int]:
        places = np.argwhere(tumour)
        row, column = places[self.random.randrange(len(places))]
        return int(row), int(column)

    def _draft(self, task: int, body: Mapping[str, Any]) -> int:
        path, project = f"/api/tasks/{task}/drafts", {"project": self.server.project}
        kept = self._request("draft", "POST", path, params=project, json=body)
        return int(kept["id"]) if kept else 0

    def _submit(self, task: int, body: Mapping[str, Any], mask: NDArray[np.bool_]) -> None:
        path, project = f"/api/tasks/{task}/annotations", {"project": self.server.project}
        saved = self._request("submit", "POST", path, params=project, json=body)
        if saved is None:
            self.unacknowledged.append(task)
            return
        self.submitted.append(Submitted(task, int(saved["id"]), mask))
        self._request("read again", "GET", f"/api/tasks/{task}", params=project)

    def _think(self) -> None:
        """Waits as a person does, while the editor's timer goes on."""
        until = time.monotonic() + self.random.uniform(*self.pace.think)
        while (left := until - time.monotonic()) > 0:
            if time.monotonic() > self._timer_at:
                self._timer_at = time.monotonic() + _TIMER_SECONDS
                timer = {"interaction": "timer", "include": _TIMER, "project": self.server.project}
                self._request("timer", "GET", "/api/dm/project", params=timer)
            time.sleep(min(1.0, left))

    def _request(self, action: str, method: str, path: str, **kwargs: Any) -> Any:
        """One timed request; its JSON (True for a picture), or None where it went wrong."""
        began = time.perf_counter()
        answer = self._send(method, path, **kwargs)
        wrong = answer["failed"] if isinstance(answer, dict) and "failed" in answer else ""
        self.timings.add(action, time.perf_counter() - began, wrong)
        return None if wrong else answer

    def _send(self, method: str, path: str, **kwargs: Any) -> Any:
        address = path if path.startswith("http") else self.server.url + path
        try:
            answer = self._session.request(method, address, timeout=TIMEOUT_SECONDS, **kwargs)
        except requests.RequestException as error:
            return {"failed": type(error).__name__}
        if not answer.ok:
            return {"failed": f"status {answer.status_code}"}
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else True


def refusal_in(answer: Any) -> str:
    """Why an answer to a click is a failure, in a few words; empty if it holds a prediction.

    Label Studio answers 200 with the errors of our service as text; 429 and 503 mean: busy, try again.
    """
    if not isinstance(answer, Mapping):
        return "no answer"
    if "failed" in answer:
        return str(answer["failed"])
    errors = " ".join(map(str, answer.get("errors") or []))
    found = re.search(r"\b(\d{3}) (?:Client|Server) Error|code=?(\d{3})", errors)
    if found:
        status = found.group(1) or found.group(2)
        return f"busy ({status})" if status in ("429", "503") else f"status {status}"
    if errors:
        return "error"
    return "" if isinstance(answer.get("data"), Mapping) else "no answer"


def _save_body(
    result: list[dict[str, Any]], task: Mapping[str, Any], started_at: datetime, project: int
) -> dict[str, Any]:
    """A save as the editor sends it."""
    predictions = task.get("predictions") or []
    return {
        "lead_time": (timezone.now() - started_at).total_seconds(),
        "result": result,
        "draft_id": 0,
        "parent_prediction": predictions[0]["id"] if predictions else None,
        "parent_annotation": None,
        "started_at": started_at.isoformat().replace("+00:00", "Z"),
        "project": str(project),
    }


def _around(tumour: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels outside the tumour but within six of its bounding box; where there are none, all outside it."""
    rows, columns = np.where(tumour.any(1))[0], np.where(tumour.any(0))[0]
    near = np.zeros_like(tumour)
    near[max(0, rows[0] - 6) : rows[-1] + 7, max(0, columns[0] - 6) : columns[-1] + 7] = True
    outside = near & ~tumour
    return outside if outside.any() else ~tumour


def _disc(shape: tuple[int, ...], *, centre: tuple[int, int]) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= _STROKE_RADIUS**2)

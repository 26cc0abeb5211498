"""A model of Label Studio 1.23.2 for histories: what it holds, what it answers, and who really did what.

Label Studio says who made an annotation and who changed it last, and lets anybody write the first; the model also keeps
who really sent each request, which is what a history is judged by.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation_backend.labeling.masks.regions import region_of
from datasets.errors import RejectedInput

PROJECT = 1
OWNER = 1
START = datetime(2026, 11, 21, 10, tzinfo=UTC)

Json = dict[str, Any]


@dataclass
class Clock:
    """The time of both sides; it goes on by a second with every act."""

    seconds: float = 0.0

    def now(self) -> datetime:
        """The moment."""
        return START + timedelta(seconds=self.seconds)

    def text(self) -> str:
        """The next moment, as Label Studio writes it."""
        self.seconds += 1
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Drawing:
    """One content of one annotation, and everybody who really wrote it there."""

    pixels: bytes
    people: set[int] = field(default_factory=set)


class ModelStudio:
    """Projects, tasks and annotations in memory; `call` takes the place of `labeling.studio.client.call`."""

    def __init__(self, clock: Clock, *, shape: tuple[int, int]) -> None:
        self.clock = clock
        self.shape = shape
        self.tasks: dict[int, Json] = {}
        self.next_annotation = 1
        self.is_visible = True
        self.truth: dict[int, list[Drawing]] = {}
        """By annotation: its contents in the order in which they were written."""
        self.shown: dict[int, set[bytes]] = {}
        """By slice: every content that some annotation of it ever held."""
        self.forged: dict[bytes, int] = {}
        """Contents that somebody only claimed to us by a forged webhook, and who did."""
        self.wrongly_restored: list[bytes] = []
        """Forged contents that we ourselves wrote to Label Studio."""

    def publish(self, case: str, index: int) -> int:
        """A new task; the number of a deleted one is given again."""
        number = max(self.tasks, default=100) + 1
        now = self.clock.text()
        data = {"case": case, "slice": index, "state": "pending", "review_comment": ""}
        self.tasks[number] = {"id": number, "data": data, "created_at": now, "updated_at": now, "annotations": []}
        return number

    def task_of(self, index: int) -> Json | None:
        """The newest living task of a slice."""
        found = [task for task in self.tasks.values() if task["data"].get("slice") == index]
        return found[-1] if found else None

    def annotations(self) -> Iterator[tuple[Json, Json]]:
        """Each annotation with its task."""
        for task in self.tasks.values():
            for annotation in task["annotations"]:
                yield task, annotation

    # What people do there

    def create(self, task: Json, person: int, pixels: NDArray[np.bool_] | None, **claims: Any) -> Json:
        """A person submits (None: skips) a slice; `claims` are fields that the request sets."""
        return self._new(task, person, pixels, **{"completed_by": person, "updated_by": person, **claims})

    def bring_in(self, task: Json, person: int, pixels: NDArray[np.bool_], *, name: int) -> Json:
        """A person imports an annotation in somebody's name; nobody is told."""
        return self._new(task, person, pixels, completed_by=name, updated_by=None)

    def change(self, annotation: Json, person: int, pixels: NDArray[np.bool_] | None, **claims: Any) -> Json:
        """A person changes an annotation (None: skips it)."""
        task = self._task_of(annotation)
        annotation |= {
            "result": [] if pixels is None else self.result_of(pixels),
            "was_cancelled": pixels is None,
            **claims,
            "updated_by": person,
        }
        self._written(task, annotation, person, pixels)
        return annotation

    def move(self, annotation: Json, person: int, task: Json) -> None:
        """A person moves an annotation to another task, and answers for it: no trace is left of who had imported it."""
        before = self._task_of(annotation)
        before["annotations"].remove(annotation)
        annotation |= {"task": task["id"], "updated_by": person, "updated_at": self.clock.text()}
        task["annotations"].append(annotation)
        self.truth[annotation["id"]][-1].people.add(person)
        before["updated_at"] = task["updated_at"] = annotation["updated_at"]
        self.shown.setdefault(task["data"]["slice"], set()).update(each.pixels for each in self.truth[annotation["id"]])

    def delete(self, annotation: Json) -> None:
        """Somebody deletes an annotation."""
        task = self._task_of(annotation)
        task["annotations"].remove(annotation)
        task["updated_at"] = self.clock.text()

    def delete_task(self, task: Json) -> None:
        """Somebody deletes a task with all that is in it."""
        del self.tasks[task["id"]]

    def saved(self, task: Json, annotation: Json, *, action: str = "ANNOTATION_UPDATED") -> Json:
        """The webhook of a save, as it is now."""
        along = {key: task[key] for key in ("id", "data")}
        return _copy({"action": action, "annotation": annotation, "task": along, "project": {"id": PROJECT}})

    def newest_content(self, task: Json) -> bytes | None:
        """What counts on a task by Label Studio's own word."""
        drawn = [each for each in task["annotations"] if not each["was_cancelled"]]
        newest = max(drawn, key=lambda each: (each["updated_at"], each["id"]), default=None)
        return self.truth[newest["id"]][-1].pixels if newest else None

    def people_of(self, pixels: bytes) -> list[set[int]]:
        """For each annotation that ever held these pixels: who really wrote them there."""
        return [each.people for drawings in self.truth.values() for each in drawings if each.pixels == pixels]

    # What it answers

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Answers one request of ours, which is the administrator's."""
        for pattern, verb, answer in self._routes():
            if verb == method and (found := re.fullmatch(pattern, path)):
                return _copy(answer(*(int(number) for number in found.groups()), **options))
        raise AssertionError(f"the model of Label Studio does not know {method} {path}")

    def _routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [
            (r"/api/annotations/(\d+)/", "GET", lambda number, **_: self._found(number)[1]),
            (r"/api/annotations/(\d+)/", "PATCH", self._patch_annotation),
            (r"/api/tasks/(\d+)/annotations/", "POST", self._post_annotation),
            (r"/api/tasks/(\d+)/annotations/", "GET", lambda number, **_: self._task(number)["annotations"]),
            (r"/api/tasks/(\d+)/", "GET", lambda number, **_: {**self._task(number), "project": PROJECT}),
            (r"/api/tasks/(\d+)/", "PATCH", self._patch_task),
            (r"/api/tasks/", "GET", self._listed),
            (r"/api/projects/(\d+)/?", "GET", lambda number, **_: self._project(number)),
            (r"/api/projects/", "GET", lambda **_: {"results": [self._project(PROJECT)] if self.is_visible else []}),
            (r"/api/users/", "GET", lambda **_: []),
            (r"/api/current-user/whoami", "GET", lambda **_: self._owner()),
            (r"/api/users/(\d+)/?", "GET", lambda _number, **_: self._owner()),
        ]

    def _owner(self) -> Json:
        return {
            "id": OWNER,
            "email": "administrator@maskloop.local",
            "active_organization": 1 if self.is_visible else None,
        }

    def _project(self, number: int) -> Json:
        if number != PROJECT or not self.is_visible:
            raise _missing()
        return {"id": PROJECT, "title": "Test", "created_by": {"id": OWNER}}

    def _task(self, number: int) -> Json:
        if number not in self.tasks or not self.is_visible:
            raise _missing()
        return self.tasks[number]

    def _task_of(self, annotation: Json) -> Json:
        return next(task for task, each in self.annotations() if each["id"] == annotation["id"])

    def _found(self, number: int) -> tuple[Json, Json]:
        found = next(((task, each) for task, each in self.annotations() if each["id"] == number), None)
        if found is None or not self.is_visible:
            raise _missing()
        return found

    def _patch_annotation(self, number: int, *, json: Json, **_: Any) -> Json:
        task, annotation = self._found(number)
        annotation |= {**json, "updated_by": OWNER}
        self._restored(task, annotation)
        return annotation

    def _post_annotation(self, number: int, *, json: Json, **_: Any) -> Json:
        task = self._task(number)
        annotation = self._numbered(task, {"completed_by": OWNER, **json, "updated_by": OWNER})
        self._restored(task, annotation)
        return annotation

    def _patch_task(self, number: int, *, json: Json, **_: Any) -> Json:
        task = self._task(number)
        task |= json
        task["updated_at"] = self.clock.text()
        return task

    def _listed(self, *, params: Json, **_: Any) -> Json:
        if params["project"] != PROJECT or not self.is_visible:
            raise _missing()
        tasks = [{**self.tasks[number], "project": PROJECT} for number in sorted(self.tasks)]
        if "query" in params:
            tasks = [task for task in tasks if all(_fits(task, item) for item in _conditions(params["query"]))]
        size = int(params.get("page_size", 100))
        first = (int(params.get("page", 1)) - 1) * size
        return {"tasks": tasks[first : first + size], "total": len(tasks)}

    # How contents are kept

    def _new(self, task: Json, person: int, pixels: NDArray[np.bool_] | None, **claims: Any) -> Json:
        result = [] if pixels is None else self.result_of(pixels)
        annotation = self._numbered(task, {"result": result, "was_cancelled": pixels is None, **claims})
        self._written(task, annotation, person, pixels)
        return annotation

    def _numbered(self, task: Json, content: Json) -> Json:
        fixed = {"id": self.next_annotation, "task": task["id"], "project": PROJECT, "created_at": self.clock.text()}
        annotation = {
            **fixed,
            "unique_id": str(self.next_annotation),
            "import_id": None,
            "last_action": None,
            **content,
        }
        self.next_annotation += 1
        task["annotations"].append(annotation)
        self.truth[annotation["id"]] = []
        return annotation

    def _written(self, task: Json, annotation: Json, person: int, pixels: NDArray[np.bool_] | None) -> None:
        annotation["updated_at"] = task["updated_at"] = self.clock.text()
        content = b"" if pixels is None else pixels.tobytes()
        known = self.truth[annotation["id"]]
        same = next((each for each in known if each.pixels == content), None) or Drawing(content)
        if same in known:
            known.remove(same)
        same.people.add(person)
        known.append(same)
        self.shown.setdefault(task["data"]["slice"], set()).add(content)

    def _restored(self, task: Json, annotation: Json) -> None:
        """Our own writing back: the drawing stays that of whoever wrote those pixels before."""
        pixels = None if annotation["was_cancelled"] else self.pixels_of(annotation["result"])
        content = b"" if pixels is None else pixels.tobytes()
        before = [set(people) for people in self.people_of(content)]
        if content in self.forged:
            self.wrongly_restored.append(content)
        self._written(task, annotation, OWNER, pixels)
        written = self.truth[annotation["id"]][-1]
        written.people = set().union(*before) or {self.forged.get(content, OWNER)}

    def result_of(self, pixels: NDArray[np.bool_]) -> list[Json]:
        """A result that draws these pixels."""
        return [_region_of(pixels.tobytes(), pixels.shape)]

    def pixels_of(self, result: list[Json]) -> NDArray[np.bool_] | None:
        """What a result draws."""
        from annotation_backend.labeling.masks.regions import drawn_masks

        height, width = self.shape
        drawn = drawn_masks(result, height=height, width=width, labels=None)
        return next(iter(drawn.pixels.values()), None)


@lru_cache
def _region_of(content: bytes, shape: tuple[int, ...]) -> Json:
    """Encoded once: histories draw the same pictures, each in the same order."""
    return region_of(np.frombuffer(content, dtype=np.bool_).reshape(shape), region_id="a", score=None)


def _conditions(query: str | Json) -> list[Json]:
    asked = json.loads(query) if isinstance(query, str) else query
    return list(asked["filters"]["items"])


def _fits(task: Json, item: Json) -> bool:
    value = item["value"]
    if item["filter"].endswith("updated_at"):
        return bool(task["updated_at"] > value)
    if item["operator"] == "in":
        return bool(value["min"] <= task["id"] <= value["max"])
    return bool(task["id"] == value)


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _missing() -> RejectedInput:
    return RejectedInput("label-studio-missing", "Label Studio does not have what we asked for (404).", remedy="None.")

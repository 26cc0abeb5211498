"""Label Studio's answers to requests about the editor, as measured on 1.23.2; it keeps the values that it is given."""

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from annotation_backend.labeling.studio import client
from datasets.errors import RejectedInput, TryAgain


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any]) -> None:
    """Lets `answer` take the place of `labeling.studio.client.call` in all modules of ours that use it."""

    def stand_in(*words: Any, **options: Any) -> Any:
        return answer(*words, **options)

    real = client.call
    stand_in.stands_in = True  # type: ignore[attr-defined]
    for name, module in list(sys.modules.items()):
        there = getattr(module, "call", None) if name.startswith("annotation_backend.") else None
        if there is real or hasattr(there, "stands_in"):
            monkeypatch.setattr(module, "call", stand_in)


def _between(bounds: dict[str, int]) -> range:
    return range(bounds["min"], bounds["max"] + 1)


class LabelStudioDouble:
    """Projects, tabs and tasks in memory. `call` takes the place of `labeling.studio.client.call`."""

    def __init__(self, number: int = 1) -> None:
        self.first = 1000 * (number - 1)
        self.project: dict[str, Any] = {"id": number, "label_config": "<View/>", "expert_instruction": ""}
        self.summary: dict[str, Any] = {"created_annotations": {}, "created_labels": {}, "created_labels_drafts": {}}
        self.tabs: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.made: dict[int, str] = {}
        self.unreadable: set[int] = set()
        self.highest = self.first
        self.changes: list[str] = []
        self.backends: dict[int, dict[str, Any]] = {}
        self.webhooks: dict[int, dict[str, Any]] = {}
        self.storages: dict[str, list[dict[str, Any]]] = {"/api/storages/": [], "/api/storages/export": []}
        self.predictions: dict[int, dict[str, Any]] = {}

    def takes_the_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Answers instead of Label Studio wherever labelling asks it."""
        answer_with(monkeypatch, self.call)

    def rows(self) -> dict[int, dict[str, Any]]:
        """The tasks as its list of tasks has them, with their predictions."""
        return {number: self._row(number) for number in self.tasks}

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Answers one request; fails on one it does not know."""
        if method != "GET":
            self.changes.append(f"{method} {path}")
        body = options.get("json")
        if path == "/api/dm/views/":
            return self._new_tab(body) if method == "POST" else self._list_of_tabs()
        if found := re.fullmatch(r"/api/dm/views/(\d+)/", path):
            self.tabs[int(found[1])] = body["data"]
            return None
        if found := re.fullmatch(r"/api/projects/(?:1/)?(summary/|import)?", path):
            return self._of_the_project(found[1], body)
        if path == "/api/current-user/whoami":
            return {"id": 1, "active_organization": 1}
        if path == "/api/tasks/":
            return self._listed(options["params"])
        if found := re.fullmatch(r"/api/tasks/(\d+)/", path):
            return self._one_task(method, int(found[1]), body)
        return self._connected(method, path, options)

    def _of_the_project(self, what: str | None, body: Any) -> Any:
        """The only one: made, changed and read, its summary, and new tasks."""
        if what == "summary/":
            return self.summary
        if what == "import":
            return {"task_ids": [self._new_task(one["data"]) for one in body]}
        self.project |= {key: self._kept(key, value) for key, value in (body or {}).items()}
        return dict(self.project)

    def _listed(self, params: dict[str, Any]) -> dict[str, Any]:
        """The tasks that were asked for by number, or all; a list fails that a task with half a character is in."""
        asked = json.loads(params.get("query", '{"filters": {"items": []}}'))["filters"]["items"]
        bounds = [each["value"] for each in asked if each["filter"] == "filter:tasks:id"]
        rows = [row for row in self.rows().values() if all(row["id"] in _between(one) for one in bounds)]
        if params.get("fields") == "all" and self.unreadable & {row["id"] for row in rows}:
            raise TryAgain("label-studio-error", "Label Studio answers with status 500.", remedy="Run it again.")
        return {"tasks": rows, "total": len(rows)}

    def _one_task(self, method: str, number: int, body: Any) -> Any:
        if method == "PATCH":
            self.tasks[number] = body["data"]
        if number not in self.tasks:
            raise RejectedInput("label-studio-missing", "Label Studio has no such thing.", remedy="Publish it.")
        if method == "DELETE":
            del self.tasks[number]
            return None
        return self._row(number)

    def _new_task(self, data: dict[str, Any]) -> int:
        self.highest = max([self.highest, *self.tasks]) + 1
        self.tasks[self.highest] = data
        return self.highest

    def _connected(self, method: str, path: str, options: dict[str, Any]) -> Any:
        """Backends, webhooks, storages and predictions: each a list, and things by number."""
        body = options.get("json") or {}
        if path in self.storages:
            return self.storages[path]
        if found := re.fullmatch(r"(/api/storages/(?:export)?)/?s3/(\d+)", path):
            self.storages[found[1]] = [one for one in self.storages[found[1]] if one["id"] != int(found[2])]
            return None
        if path == "/api/projects/1/import/predictions":
            for one in body:
                self._new(self.predictions, {"score": None, **one})
            return None
        if path == "/api/predictions/":
            return [one for one in self.predictions.values() if one["task"] == options["params"]["task"]]
        things = {"ml": self.backends, "webhooks": self.webhooks, "predictions": self.predictions}
        if found := re.fullmatch(r"/api/(ml|webhooks|predictions)/?(\d+)?/?", path):
            answer = self._things(things[found[1]], method, found[2], body)
            if (method, path) == ("POST", "/api/ml"):
                self._webhook_of(answer)
            return answer
        raise AssertionError(f"unexpected request: {method} {path}")

    def _new_tab(self, body: dict[str, Any]) -> dict[str, int]:
        number = max(self.tabs, default=self.first) + 1
        self.tabs[number] = body["data"]
        return {"id": number}

    def _list_of_tabs(self) -> list[dict[str, Any]]:
        return [{"id": number, "data": data} for number, data in self.tabs.items()]

    def _things(self, things: dict[int, dict[str, Any]], method: str, number: str | None, body: dict[str, Any]) -> Any:
        if number is None:
            return self._new(things, body) if method == "POST" else [dict(one) for one in things.values()]
        if method == "DELETE":
            del things[int(number)]
            return None
        things[int(number)] |= body
        return dict(things[int(number)])

    def _new(self, things: dict[int, dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
        number = max(things, default=self.first) + 1
        things[number] = {**body, "id": number}
        return dict(things[number])

    def _row(self, number: int) -> dict[str, Any]:
        shown = [one for one in self.predictions.values() if one["task"] == number]
        made = {"created_at": self.made[number]} if number in self.made else {}
        return {"id": number, "data": self.tasks[number], "predictions": shown, **made}

    def _kept(self, name: str, value: Any) -> Any:
        """It cuts off white space, and of an instruction the attributes that it does not know."""
        if name == "expert_instruction":
            value = value.replace(' rel="noopener"', "")
        return value.strip() if isinstance(value, str) else value

    def _webhook_of(self, backend: dict[str, Any]) -> None:
        """It makes a webhook with each new backend, without a header."""
        url = f"{backend['url']}/webhook"
        if not any(hook["url"] == url for hook in self.webhooks.values()):
            whole = {"is_active": True, "send_payload": True, "send_for_all_actions": True, "headers": {}}
            self._new(self.webhooks, {"url": url, "project": backend["project"], **whole})


class LabelStudioOfMany:
    """Several projects beside each other: each request reaches the one that it names, by itself or by a thing in it."""

    def __init__(self) -> None:
        self.projects: dict[int, LabelStudioDouble] = {}

    def takes_the_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Answers instead of Label Studio wherever labelling asks it."""
        answer_with(monkeypatch, self.call)

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Answers one request."""
        if (method, path) == ("POST", "/api/projects/"):
            number = max(self.projects, default=0) + 1
            self.projects[number] = LabelStudioDouble(number)
            return self.projects[number].call(method, path, **options)
        if path == "/api/current-user/whoami":
            return {"id": 1, "active_organization": 1}
        if (method, path) == ("GET", "/api/webhooks/"):
            return [row for double in self.projects.values() for row in double.call(method, path, **options)]
        double = self._meant(path, options)
        if double is None:
            raise RejectedInput("label-studio-missing", "Label Studio has no such thing.", remedy="Publish it.")
        return double.call(method, re.sub(r"^/api/projects/\d+/", "/api/projects/1/", path), **options)

    def _meant(self, path: str, options: dict[str, Any]) -> LabelStudioDouble | None:
        body, params = options.get("json") or {}, options.get("params") or {}
        named = params.get("project") or (body.get("project") if isinstance(body, dict) else None)
        if found := re.match(r"/api/projects/(\d+)/", path):
            named = found[1]
        if named is not None:
            return self.projects.get(int(named))
        number = re.search(r"/(\d+)/?$", path) or re.match(r"(\d+)", str(params.get("task", "")))
        return self.projects.get(int(number[1]) // 1000 + 1) if number else None

"""Label Studio's answers to what the editor's set-up asks, as measured on 1.23.2; keeps what it is told."""

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from annotation_backend.labeling import client


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any]) -> None:
    """Lets `answer` take the place of `labeling.client.call` in all modules of ours that use it."""

    def stand_in(*words: Any, **options: Any) -> Any:
        return answer(*words, **options)

    real = client.call
    stand_in.stands_in = True  # type: ignore[attr-defined]
    for name, module in list(sys.modules.items()):
        there = getattr(module, "call", None) if name.startswith("annotation_backend.") else None
        if there is real or hasattr(there, "stands_in"):
            monkeypatch.setattr(module, "call", stand_in)


class LabelStudioDouble:
    """Projects, tabs and tasks in memory. `call` takes the place of `labeling.client.call`."""

    def __init__(self) -> None:
        self.project: dict[str, Any] = {"id": 1, "label_config": "<View/>", "expert_instruction": ""}
        self.summary: dict[str, Any] = {"created_annotations": {}, "created_labels": {}, "created_labels_drafts": {}}
        self.tabs: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.changes: list[str] = []

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
        if path == "/api/projects/1/summary/":
            return self.summary
        if path == "/api/projects/1/":
            self.project |= body or {}
            return self.project
        if path == "/api/tasks/":
            tasks = [{"id": number, "data": data} for number, data in self.tasks.items()]
            return {"tasks": tasks, "total": len(tasks)}
        if found := re.fullmatch(r"/api/tasks/(\d+)/", path):
            if method == "GET":
                return {"data": self.tasks[int(found[1])]}
            self.tasks[int(found[1])] = body["data"]
            return None
        raise AssertionError(f"unexpected request: {method} {path}")

    def _new_tab(self, body: dict[str, Any]) -> dict[str, int]:
        number = max(self.tabs, default=0) + 1
        self.tabs[number] = body["data"]
        return {"id": number}

    def _list_of_tabs(self) -> list[dict[str, Any]]:
        return [{"id": number, "data": data} for number, data in self.tabs.items()]

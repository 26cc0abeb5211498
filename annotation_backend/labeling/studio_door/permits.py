"""Asks our service what a person may do; an answer counts for a second, and none means no."""

import json
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import urllib3

from annotation_backend.labeling.studio_door import surroundings
from annotation_backend.labeling.studio_door.refusals import not_signed_in, silent

FRESH_SECONDS = 1.0
CONNECT_SECONDS, ANSWER_SECONDS = 1.0, 8.0
_MOST_KEPT = 4096

Key = tuple[str, int, int | None, int | None]


@dataclass(frozen=True)
class Permit:
    """What a person may do with one task."""

    may_look: bool = False
    may_draw: bool = False
    may_prompt: bool = False
    sees_others: bool = False
    sees_model: bool = False
    own_predictions: frozenset[int] = frozenset()
    hidden_predictions: frozenset[int] = frozenset()

    def shows(self, prediction: object) -> bool:
        """Whether a prediction is shown: a person's own in place of the others, never another person's."""
        if not self.sees_model or prediction in self.hidden_predictions:
            return False
        return not self.own_predictions or prediction in self.own_predictions


@dataclass(frozen=True)
class Answer:
    """Our service's answer: who comes, to which projects and, where one was named, to which of its tasks.

    `tasks` is None where all of the project's are theirs; `alone` are those of them on which they see nobody else's
    work; `permit` is the named task's.
    """

    administrates: bool = False
    projects: frozenset[int] = frozenset()
    tasks: frozenset[int] | None = frozenset()
    alone: frozenset[int] = frozenset()
    permit: Permit = field(default_factory=Permit)


class Permits:
    """Our service, as the door asks it."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(
            maxsize=32, timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
        )
        self._kept: OrderedDict[Key, tuple[float, Answer | None]] = OrderedDict()
        self._lock = Lock()

    def of(self, entry: str, person: int, *, project: int | None = None, task: int | None = None) -> Answer:
        """What the person of an entry may do.

        Args:
            entry: The one that the session began with.
            person: Label Studio's number of the person.
            project: Label Studio's number of a project.
            task: Label Studio's number of one of its tasks.

        Raises:
            Refused: The person is signed out there, or has no part in any study (401); or nobody answers (503).
        """
        key = (entry, person, project, task)
        kept = self._fresh(key)
        answer = kept[1] if kept else self._asked(key)
        if answer is None:
            raise not_signed_in()
        return answer

    def of_each(self, entry: str, person: int, *, project: int, tasks: list[int]) -> dict[int, Permit]:
        """The permits of several of a project's tasks at once, for a list; those that are missing allow nothing."""
        body = {"entry": entry, "person": person, "project": project, "task": None, "each": tasks}
        found = self._sent("/label-studio/permits", body, tries=1) if tasks else {"each": {}}
        if found is None:
            raise not_signed_in()
        try:
            return {int(number): _permit(row) for number, row in found["each"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise silent() from error

    def redeemed(self, entry: str, person: int) -> str | None:
        """The address of the person whose ticket is used up now; None where it was before, or is nobody's.

        Raises:
            Refused: Nobody answers (503).
        """
        found = self._sent("/label-studio/entries", {"entry": entry, "person": person}, tries=0)
        return None if found is None else str(found["email"])

    def _fresh(self, key: Key) -> tuple[float, Answer | None] | None:
        with self._lock:
            kept = self._kept.get(key)
            return kept if kept and kept[0] > time.monotonic() else None

    def _asked(self, key: Key) -> Answer | None:
        asked_at = time.monotonic()
        entry, person, project, task = key
        found = self._sent(
            "/label-studio/permits", {"entry": entry, "person": person, "project": project, "task": task}, tries=1
        )
        answer = None if found is None else _read(found)
        with self._lock:
            self._kept[key] = (asked_at + FRESH_SECONDS, answer)
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return answer

    def _sent(self, path: str, body: dict[str, Any], *, tries: int) -> dict[str, Any] | None:
        """The answer's object; None where it is 403."""
        try:
            answer = self._pool.request(
                "POST",
                surroundings.service() + path,
                json=body,
                headers={surroundings.HEADER: surroundings.secret()},
                retries=urllib3.Retry(total=tries, redirect=0, allowed_methods=None),
            )
            if answer.status == 403:
                return None
            if answer.status != 200:
                raise silent()
            return dict(json.loads(answer.data))
        except (urllib3.exceptions.HTTPError, ValueError, TypeError) as error:
            raise silent() from error


def _read(found: dict[str, Any]) -> Answer:
    try:
        tasks = found["tasks"]
        return Answer(
            administrates=found["administrates"] is True,
            projects=frozenset(found["projects"]),
            tasks=None if tasks is None else frozenset(tasks),
            alone=frozenset(found["alone"]),
            permit=_permit(found["permit"]),
        )
    except (KeyError, TypeError) as error:
        raise silent() from error


def _permit(row: dict[str, Any]) -> Permit:
    said = {name: row[name] is True for name, kind in Permit.__annotations__.items() if kind is bool}
    return Permit(
        **said,
        own_predictions=frozenset(row.get("own_predictions", ())),
        hidden_predictions=frozenset(row.get("hidden_predictions", ())),
    )


PERMITS = Permits()
"""The one of this process."""

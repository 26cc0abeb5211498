"""Plan of a webhook flood: saves of many annotations, some delivered twice, some out of order."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

FIRST_ID = 1_000_000
"""First annotation id; Label Studio has not assigned ids this large itself."""

LATEST_SECONDS = 3.0
"""How much later a second copy comes, or a creation that its update overtook."""

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """A task of Label Studio, and its annotator."""

    task: int
    project: int
    person: int


@dataclass(frozen=True)
class Save:
    """One save of an annotation: the first creates it, the second changes it."""

    annotation: int
    version: int
    place: Place
    body: bytes

    @property
    def key(self) -> tuple[int, datetime]:
        """Identity of a save: the annotation and the time of the save."""
        return self.annotation, saved_at(self.annotation, self.version)


@dataclass(frozen=True)
class Delivery:
    """A save that is sent `at` seconds after the start."""

    at: float
    save: Save


def plan(
    places: Sequence[Place],
    results: Sequence[list[dict[str, Any]]],
    *,
    rate: float,
    seconds: float,
    doubled: float = 0.3,
    reordered: float = 0.1,
    seed: int = 0,
) -> list[Delivery]:
    """Deliveries at an even rate, in the order in which they are sent.

    Args:
        places: Tasks; annotations take turns on them.
        results: Label Studio results with masks; saves take turns.
        rate: Deliveries a second, copies counted.
        seconds: How long.
        doubled: Share of the deliveries that are duplicates of an earlier one.
        reordered: Share of the deliveries that are creations sent after their update.
        seed: Of every random choice.
    """
    drawn = random.Random(seed)  # noqa: S311
    total = round(rate * seconds)
    saves = _saves(places, results, round(total * (1 - doubled)))
    ordered = [(index / rate / (1 - doubled), save) for index, save in enumerate(saves)]
    overtaken = set(drawn.sample([n for n, save in enumerate(saves) if save.version == 1], round(reordered * total)))
    moved = [(at + _later(drawn, rate) if n in overtaken else at, save) for n, (at, save) in enumerate(ordered)]
    copies = drawn.sample(moved, total - len(saves))
    moved += [(at + drawn.uniform(0.0, LATEST_SECONDS), save) for at, save in copies]
    moved.sort(key=lambda pair: pair[0])
    return [Delivery(index / rate, save) for index, (_, save) in enumerate(moved)]


def saved_at(annotation: int, version: int) -> datetime:
    """Label Studio's own time of a save; a later version has a later one."""
    return _EPOCH + timedelta(seconds=annotation - FIRST_ID, milliseconds=500 * version)


def _later(drawn: random.Random, rate: float) -> float:
    """A delay that lets the update, which is the next save, come first."""
    return drawn.uniform(min(LATEST_SECONDS, 20 / rate), LATEST_SECONDS)


def _saves(places: Sequence[Place], results: Sequence[list[dict[str, Any]]], count: int) -> list[Save]:
    """Creations, each followed by its update."""
    saves = []
    for number in range(count):
        annotation, version = FIRST_ID + number // 2, number % 2 + 1
        place = places[number // 2 % len(places)]
        body = _body(annotation, version, place, results[number % len(results)])
        saves.append(Save(annotation, version, place, json.dumps(body).encode()))
    return saves


def _body(annotation: int, version: int, place: Place, result: list[dict[str, Any]]) -> dict[str, Any]:
    """As Label Studio 1.23.2 sends it."""
    created, updated = (saved_at(annotation, number).isoformat() for number in (1, version))
    return {
        "action": "ANNOTATION_CREATED" if version == 1 else "ANNOTATION_UPDATED",
        "annotation": {
            "id": annotation,
            "result": result,
            "was_cancelled": False,
            "ground_truth": False,
            "created_at": created,
            "updated_at": updated,
            "draft_created_at": None,
            "lead_time": 12.5,
            "prediction": {},
            "result_count": len(result),
            "unique_id": f"00000000-0000-4000-8000-{annotation:012d}",
            "import_id": None,
            "last_action": None,
            "bulk_created": False,
            "task": place.task,
            "project": place.project,
            "completed_by": place.person,
            "updated_by": place.person,
            "parent_prediction": None,
            "parent_annotation": None,
            "last_created_by": None,
        },
        "project": {"id": place.project, "title": "Maskloop: tumours on MRI"},
    }

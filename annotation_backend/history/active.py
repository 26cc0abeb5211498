"""Active time: how long people worked, from the moments at which they were seen to work. Pure functions."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Generic, TypeVar

IDLE_AFTER = timedelta(seconds=60)
"""Where nothing is seen of a person for longer than this, they were away, and none of that time counts.

An open page says every 30 s that its person still moves. CVAT takes 100 s (its `MAX_EVENT_DURATION`); Label Studio's
community edition counts the whole time that a task is open (`lead_time`), also over lunch.
"""

Place = TypeVar("Place", bound=Hashable)


@dataclass(frozen=True)
class Moment(Generic[Place]):
    """Somebody was seen at work.

    Args:
        person: The person's number.
        at: When.
        place: What they worked on, such as a case and a stage.
        ends: Whether they stopped then: what follows is no work on it until they are seen again.
    """

    person: int
    at: datetime
    place: Place
    ends: bool = False


@dataclass(frozen=True)
class Work(Generic[Place]):
    """An uninterrupted stretch of a person's work on one thing.

    Args:
        person: The person's number.
        place: What they worked on.
        begins: When it began.
        seconds: How long it was.
    """

    person: int
    place: Place
    begins: datetime
    seconds: float


def work_of(moments: Iterable[Moment[Place]], *, idle_after: timedelta = IDLE_AFTER) -> Iterator[Work[Place]]:
    """The stretches between moments that follow each other closely, one after the other.

    All moments of a person stand in one row, whatever they come from: two open tabs are one person, whose time counts
    once. The time between two moments belongs to what the former was about. One moment alone has no length. Moments
    are taken in the order of their times, so that a clock that was set back makes no time negative and counts none
    twice.

    Args:
        moments: Of one or several people, in any order within a person; each person's follow one another.
        idle_after: The longest time between two moments of one stretch.
    """
    for person, theirs in groupby(moments, key=attrgetter("person")):
        row = _with_meant_ends(sorted(theirs, key=attrgetter("at")))
        for former, latter in pairwise(row):
            length = latter.at - former.at
            if not former.ends and timedelta(0) < length <= idle_after:
                yield Work(person, former.place, former.at, length.total_seconds())


def _with_meant_ends(row: Iterable[Moment[Place]]) -> list[Moment[Place]]:
    """Without ends of what the person did not work on just then, such as a tab in the background."""
    kept: list[Moment[Place]] = []
    for moment in row:
        if not moment.ends or (kept and kept[-1].place == moment.place):
            kept.append(moment)
    return kept


def seconds_by_person_and_place(
    moments: Iterable[Moment[Place]], *, idle_after: timedelta = IDLE_AFTER
) -> Mapping[tuple[int, Place], float]:
    """Active seconds of each person on each thing, added up.

    Args:
        moments: As for `work_of`.
        idle_after: As for `work_of`.
    """
    found: dict[tuple[int, Place], float] = {}
    for work in work_of(moments, idle_after=idle_after):
        key = (work.person, work.place)
        found[key] = found.get(key, 0.0) + work.seconds
    return found

"""The audit log: all that people did in a study, the newest first, in portions that begin where the former ended."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from annotation_backend.audit.sources import SOURCES, Source
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput

PORTION = 50
"""Entries on one page."""

_PLACE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)Z-(\d{1,2})-(\d{1,18})")


@dataclass(frozen=True, order=True)
class Place:
    """Where an entry stands in the log: its time, its source's number from behind, its record's number."""

    at: datetime
    order: int
    record: int

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z-{self.order}-{self.record}"

    @classmethod
    def read(cls, text: str) -> "Place":
        """The place that stands in an address.

        Raises:
            RejectedInput: It is none (``audit-place``).
        """
        found = _PLACE.fullmatch(text)
        try:
            if found is not None:
                at = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
                return cls(at, int(found[2]), int(found[3]))
        except ValueError:
            pass
        raise RejectedInput("audit-place", "This is no place in the log.", remedy="Begin at the log's first page.")


@dataclass(frozen=True)
class Entry:
    """One line of the log.

    Args:
        place: Where it stands.
        kind: Its source's name.
        title: Its source's name on pages.
        words: What happened.
        person: The number of who did it; None for nobody and for commands.
        case: The case's code; empty for none.
        stage: The stage's name; empty where it has none.
        slice_index: Index of the slice; None where it is about none.
    """

    place: Place
    kind: str
    title: str
    words: str
    person: int | None
    case: str
    stage: str
    slice_index: int | None

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.place.at


@dataclass(frozen=True)
class Asked:
    """What of the log is asked for.

    Args:
        study: The study.
        person: A person's number; None for everybody.
        case: Key of a case; None for all.
        kind: A name in `sources.KINDS`; empty for all but the pulses of open pages.
        since: The earliest time, inclusive.
        until: The latest time, exclusive.
        before: Only what stands after this place, which is older.
    """

    study: Study
    person: int | None = None
    case: int | None = None
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: Place | None = None


def entries(asked: Asked, *, count: int = PORTION) -> list[Entry]:
    """The newest entries of what is asked for; one query a source, however long the log is."""
    found = [entry for order, source in _sources(asked) for entry in _of_source(asked, source, order, count)]
    return sorted(found, key=lambda entry: entry.place, reverse=True)[:count]


def every_entry(asked: Asked, *, portion: int = 2000) -> Iterator[Entry]:
    """All entries of what is asked for, the newest first, read in portions."""
    while True:
        part = entries(asked, count=portion)
        yield from part
        if len(part) < portion:
            return
        asked = replace(asked, before=part[-1].place)


def _sources(asked: Asked) -> Sequence[tuple[int, Source]]:
    """The sources that can hold what is asked for, with their numbers from behind."""
    numbered = [(len(SOURCES) - number, source) for number, source in enumerate(SOURCES)]
    return [
        (order, source)
        for order, source in numbered
        if asked.kind.partition(":")[0] in ("", source.kind)
        and (asked.person is None or source.person)
        and (asked.case is None or source.case)
    ]


def _of_source(asked: Asked, source: Source, order: int, count: int) -> Iterator[Entry]:
    """The newest entries of one source; one query."""
    case_code = f"{source.case}__code" if source.case else "pk"
    fields = (source.at, "pk", source.person or "pk", case_code, source.stage or "pk", source.slice_index or "pk")
    newest = _rows(asked, source, order).order_by(f"-{source.at}", "-pk").values("pk")[:count]
    rows = source.model._base_manager.filter(pk__in=newest).order_by()
    for at, key, person, case, stage, index, *extra in rows.values_list(*fields, *source.extra):
        yield Entry(
            Place(at, order, key),
            source.kind,
            source.title,
            source.words(*extra),
            person if source.person else None,
            (case or "") if source.case else "",
            (stage or "") if source.stage else "",
            index if source.slice_index else None,
        )


def _rows(asked: Asked, source: Source, order: int) -> QuerySet[Model]:
    """The records that are asked for, without what they refer to: so the database goes by their time.

    Whether one is of the study is asked record by record. A join would let the database begin at the other end, with
    all cases or saves.
    """
    wanted: dict[str, Any] = {}
    if asked.person is not None:
        wanted[source.person] = asked.person
    if asked.case is not None:
        wanted[source.case] = asked.case
    if asked.since is not None:
        wanted[f"{source.at}__gte"] = asked.since
    if asked.until is not None:
        wanted[f"{source.at}__lt"] = asked.until
    kind = asked.kind.partition(":")[2]
    of_kind = Q(kind=kind) if kind else source.only
    rows = source.model._base_manager.filter(of_kind, _of_study(source, asked.study), **wanted)
    return rows.filter(_older(asked.before, source, order)) if asked.before is not None else rows


def _of_study(source: Source, study: Study) -> Q:
    first, _, rest = source.study.partition("__")
    if not rest:
        return Q(**{first: study})
    referred = source.model._meta.get_field(first).related_model
    return Q(Exists(referred._base_manager.filter(pk=OuterRef(first), **{rest: study})))  # type: ignore[union-attr]


def _older(place: Place, source: Source, order: int) -> Q:
    """What of a source stands after a place in the log."""
    if order < place.order:
        return Q(**{f"{source.at}__lte": place.at})
    if order > place.order:
        return Q(**{f"{source.at}__lt": place.at})
    same = Q(**{source.at: place.at, "pk__lt": place.record})
    return Q(**{f"{source.at}__lte": place.at}) & (Q(**{f"{source.at}__lt": place.at}) | same)

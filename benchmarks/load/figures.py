"""Measurements of a load test: time of each action, our service's own times, and the processes' memory."""

import math
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

ACCESS_LOG_FORMAT = "%(t)s %(m)s %(U)s %(s)s %(D)s %({server-timing}o)s"
"""For gunicorn: when, method, path, status, microseconds in the server, and what our middleware measured."""

_ACCESS_LINE = re.compile(r"\[(?P<when>[^]]+)\] \S+ (?P<path>\S+) (?P<status>\d+) (?P<micro>\d+) (?P<timing>\S+)")
_KINDS = (
    *(("web", "gunicorn"), ("trainer", "db_worker --no-reload --queue-name training")),
    *(("worker", "db_worker"), ("Label Studio", "label-studio")),
)
_EDGE_SHARE = 0.1


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of all values do not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclass
class Timings:
    """Seconds of each kind of action, and failures; many threads may write."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    counts_from: float = -math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, action: str, seconds: float, wrong: str = "") -> None:
        """Records an action that ended now; times of actions that began before `counts_from` are left out."""
        with self._lock:
            self.seconds[action]
            if wrong:
                self.wrong[action][wrong] += 1
            elif time.perf_counter() - seconds >= self.counts_from:
                self.seconds[action].append(seconds)

    def table(self) -> list[str]:
        """Lines of a Markdown table, in milliseconds."""
        lines = [
            "| action | times | p50 ms | p95 ms | longest ms | went wrong |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for action, seconds in self.seconds.items():
            wrong = ", ".join(f"{count} x {what}" for what, count in sorted(self.wrong[action].items())) or "0"
            lines.append(f"| {action} | {len(seconds)} | {milliseconds(seconds)} | {wrong} |")
        return lines


def milliseconds(seconds: list[float]) -> str:
    """Cells p50, p95 and longest of a Markdown row."""
    found = (percentile(seconds, 0.5), percentile(seconds, 0.95), max(seconds, default=math.nan))
    return " | ".join("" if math.isnan(value) else f"{1000 * value:.0f}" for value in found)


@dataclass
class Served:
    """One route of our service, by its access log: seconds in our code, seconds in the server, statuses."""

    application: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def read_access_log(path: Path, *, since: float = 0.0) -> dict[str, Served]:
    """Our service's answers from `since` (seconds of the epoch) on, by route."""
    routes: dict[str, Served] = defaultdict(Served)
    for line in path.read_text().splitlines():
        found = _ACCESS_LINE.match(line)
        if found is None or datetime.strptime(found["when"], "%d/%b/%Y:%H:%M:%S %z").timestamp() < since:
            continue
        served = routes[_route(found["path"])]
        served.statuses[found["status"]] += 1
        served.server.append(int(found["micro"]) / 1e6)
        if found["timing"].startswith("app;dur="):
            served.application.append(float(found["timing"].removeprefix("app;dur=")) / 1000)
    return dict(routes)


def served_table(routes: Mapping[str, Served]) -> list[str]:
    """Lines of a Markdown table: our own time, in milliseconds."""
    lines = [
        "| our service | answers | p50 ms | p95 ms | longest ms | statuses |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for route, served in sorted(routes.items()):
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(served.statuses.items()))
        lines.append(f"| {route} | {len(served.server)} | {milliseconds(served.application)} | {statuses} |")
    return lines


def _route(path: str) -> str:
    """A path without the parts that differ from request to request, so that no picture's address is shown."""
    return "/pictures/" if path.startswith("/pictures/") else path


@dataclass(frozen=True)
class MemorySample:
    """Resident memory (bytes) of each kind of process at one moment (seconds, monotonic)."""

    at: float
    resident: Mapping[str, int]


class MemoryWatch(threading.Thread):
    """Records once a second the memory of the processes below `root`, until `stop`."""

    def __init__(self, root: int | None = None, *, every: float = 1.0) -> None:
        super().__init__(daemon=True)
        self.samples: list[MemorySample] = []
        self._root, self._every, self._over = root, every, threading.Event()

    def run(self) -> None:
        """Samples."""
        while not self._over.wait(self._every):
            self.samples.append(MemorySample(time.monotonic(), resident_memory(self._root)))

    def stop(self) -> None:
        """Ends the watch."""
        self._over.set()
        self.join()

    def table(self, *, since: float) -> list[str]:
        """Lines of a Markdown table, in megabytes: from `since` (monotonic) to the end."""
        lines = [
            "| process | at the start MB | at the end MB | peak MB | growth % |",
            "| --- | --- | --- | --- | --- |",
        ]
        for kind, _ in _KINDS:
            held = [sample.resident.get(kind, 0) / 1e6 for sample in self.samples if sample.at >= since]
            if any(held):
                first, last = edges(held)
                lines.append(f"| {kind} | {first:.0f} | {last:.0f} | {max(held):.0f} | {growth(held):+.1f} |")
        return lines

    def growth_of(self, kind: str, *, since: float) -> float:
        """Growth in percent of one kind of process from `since` (monotonic) to the end."""
        return growth([sample.resident.get(kind, 0) for sample in self.samples if sample.at >= since])


def edges(values: list[float]) -> tuple[float, float]:
    """Medians of the first and of the last tenth."""
    count = max(1, round(_EDGE_SHARE * len(values)))
    return percentile(values[:count], 0.5), percentile(values[-count:], 0.5)


def growth(values: list[float]) -> float:
    """Percent from the median of the first tenth to that of the last; NaN of nothing."""
    if not values:
        return math.nan
    first, last = edges(values)
    return 100 * (last - first) / first if first else math.nan


def resident_memory(root: int | None = None) -> dict[str, int]:
    """Bytes held by the processes below `root` (or below this one), by kind."""
    held: dict[str, int] = defaultdict(int)
    for process in psutil.Process(root).children(recursive=True):
        try:
            kind = process_kind(process.cmdline())
            if kind is not None:
                held[kind] += process.memory_info().rss
        except psutil.Error:
            continue
    return dict(held)


def process_kind(command: list[str]) -> str | None:
    """The kind of a process of ours, by its command line; None for others."""
    line = " ".join(command)
    return next((kind for kind, word in _KINDS if word in line), None)

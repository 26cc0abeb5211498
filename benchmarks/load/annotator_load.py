"""Load test: simulated annotators on the real Label Studio; nothing may be lost or duplicated, and all is timed.

    python -m benchmarks.load.annotator_load [--annotators 50] [--seconds 300] [--database sqlite|postgresql]

Each opens a task, clicks three times (one negative), accepts, paints a stroke, drafts, submits, and goes on, and thinks
for 8 to 15 seconds before each action. They start one after another during the ramp; then the clock runs. The
annotators share this machine with the servers. PostgreSQL is started for the run unless `--postgresql-url` names one.
The exit status is 1 if a save was lost, duplicated or changed, an action failed, or our memory grew.
"""

import argparse
import logging
import math
import random
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.load.figures import MemoryWatch, Timings, read_access_log, served_table
from benchmarks.load.installation import (
    DATABASES,
    access_log,
    add_people,
    assignments,
    dealt,
    described_machine,
    jobs_waiting,
    load_installation,
    server_to_load,
    stop_cleanly,
)
from benchmarks.load.kept_saves import compare, finish_jobs, states_and_masks
from benchmarks.load.simulated_annotator import Annotator, Assignment, Pace

if TYPE_CHECKING:
    from tests.annotation_backend.support.installation import Installation

logger = logging.getLogger("benchmarks.load.annotator_load")

TASKS_A_PATIENT = 18
LARGEST_GROWTH_PERCENT = 5.0

_ACTIONS_A_TASK = 6
_JOBS_SECONDS = 600.0


@dataclass
class Load:
    """One run: its annotators, its clock and its results."""

    annotators: list[Annotator]
    timings: Timings
    memory: MemoryWatch
    since_epoch: float = 0.0
    since_monotonic: float = 0.0
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def tell(self, *lines: str) -> None:
        """Adds lines to the report."""
        self.lines += [*lines]


def main() -> int:
    """Runs the load test and prints its report; exit status 1 if a check failed."""
    options = _options()
    stop_cleanly()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory(prefix="maskloop-load-") as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        patients = options.patients or patients_for(options.annotators, options.seconds + options.ramp, options.think)
        with load_installation(
            folder,
            database=options.database,
            postgresql_url=options.postgresql_url,
            patients=patients,
            size=options.size,
        ) as installation:
            load = _work(options)
            _check(load, installation)
            _tell_figures(load, folder, options)
    sys.stdout.write("\n".join([*load.lines, *(f"WRONG: {line}" for line in load.wrong), ""]))
    return 1 if load.wrong else 0


def patients_for(annotators: int, seconds: float, think: Sequence[float]) -> int:
    """Number of phantoms whose tasks last for all annotators, if only thinking took time."""
    fewest_seconds = _ACTIONS_A_TASK * max(0.5, sum(think) / 2)
    return max(1, math.ceil(annotators * (math.ceil(seconds / fewest_seconds) + 1) / TASKS_A_PATIENT))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--annotators", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=300.0, help="with everybody at work")
    parser.add_argument("--ramp", type=float, default=30.0, help="seconds in which they start one after another")
    parser.add_argument("--warm-up", type=float, default=60.0, help="seconds of the run before memory is watched")
    parser.add_argument("--think", type=float, nargs=2, default=(8.0, 15.0), metavar=("LEAST", "MOST"))
    parser.add_argument("--again", type=float, default=2.0, help="seconds until a person tries again when told so")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--postgresql-url", default="", help="a running server; a throw-away one when left out")
    parser.add_argument("--patients", type=int, help="phantoms; as many as are needed when left out")
    parser.add_argument("--size", type=int, default=160, help="the phantoms' T1 columns and rows")
    parser.add_argument("--folder", type=Path, help="kept afterwards; a temporary one when left out")
    return parser.parse_args()


def _work(options: argparse.Namespace) -> Load:
    """All annotators sign in, start during the ramp, work for the time, and finish the task they began."""
    timings, server, pace = Timings(), server_to_load(), Pace(tuple(options.think), options.again)
    people = add_people(options.annotators)
    annotators = [
        Annotator(server, person.email, person.password, timings, pace, random.Random(number))  # noqa: S311
        for number, person in enumerate(people)
    ]
    for annotator in annotators:
        annotator.sign_in()
    load = Load(annotators, timings, MemoryWatch())
    load.memory.start()
    over = threading.Event()
    heaps = [deque(part) for part in dealt(assignments(), len(annotators))]
    threads = [
        threading.Thread(target=_start_later, args=(annotator, heap, over, options.ramp * number / len(annotators)))
        for number, (annotator, heap) in enumerate(zip(annotators, heaps, strict=True))
    ]
    logger.info("%d annotators start", len(threads))
    for thread in threads:
        thread.start()
    time.sleep(options.ramp)
    timings.counts_from, load.since_epoch = time.perf_counter(), time.time()
    load.since_monotonic = time.monotonic() + min(options.warm_up, options.seconds / 2)
    _wait(options.seconds, annotators)
    over.set()
    for thread in threads:
        thread.join()
    load.memory.stop()
    if not all(heaps):
        load.wrong.append("somebody had no task left; give more --patients")
    return load


def _start_later(annotator: Annotator, heap: "deque[Assignment]", over: threading.Event, seconds: float) -> None:
    if not over.wait(seconds):
        annotator.work(heap, over)


def _wait(seconds: float, annotators: list[Annotator]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(10.0, left))
        done = sum(len(annotator.submitted) for annotator in annotators)
        logger.info("%3.0f s left, %d submitted, %d jobs wait", max(0.0, left - 10), done, jobs_waiting())


def _check(load: Load, installation: "Installation") -> None:
    """Checks for lost, duplicate and changed saves before and after a reconciliation; then states and masks."""
    submitted = [save for annotator in load.annotators for save in annotator.submitted]
    without_answer = sum(len(annotator.unacknowledged) for annotator in load.annotators)
    before = compare(submitted)
    load.tell(f"Saves before a reconciliation: {before}.")
    pulled = installation.manage("pull_annotations")
    after = compare(submitted)
    load.tell(f"After it ({pulled.get('stored', 0)} taken over): {after}.", "")
    waited = finish_jobs(_JOBS_SECONDS)
    load.tell("The worker was done " + (f"{waited:.0f} s later." if waited is not None else "never."), "")
    for kept in (before, after):
        load.wrong += [f"{kept}"] if kept.lost or kept.doubled or kept.different else []
    load.wrong += states_and_masks(submitted)
    if waited is None:
        load.wrong.append(f"the worker was not done after {_JOBS_SECONDS:.0f} s")
    if after.unknown_there > without_answer:
        load.wrong.append("Label Studio has annotations that nobody submitted")
    if not submitted:
        load.wrong.append("nothing was submitted")


def _tell_figures(load: Load, folder: Path, options: argparse.Namespace) -> None:
    load.tell(*load.timings.table(), "")
    load.tell(*served_table(read_access_log(access_log(folder), since=load.since_epoch)), "")
    load.tell(*load.memory.table(since=load.since_monotonic), "")
    load.tell(
        f"{options.annotators} annotators, {options.seconds:.0f} s after a ramp of {options.ramp:.0f} s, thinking "
        f"{options.think[0]:.0f} to {options.think[1]:.0f} s before each action; {options.database}.",
        *described_machine(folder),
    )
    for kind in ("web", "worker"):
        grown = load.memory.growth_of(kind, since=load.since_monotonic)
        if not grown < LARGEST_GROWTH_PERCENT:
            load.wrong.append(f"memory of {kind} grew by {grown:.1f} %")
    for action, wrong in load.timings.wrong.items():
        failed = {what: count for what, count in wrong.items() if not what.startswith("busy")}
        if failed:
            load.wrong.append(f"{action}: {failed}")


if __name__ == "__main__":
    sys.exit(main())

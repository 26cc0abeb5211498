"""Load test: 100 webhooks a second for a minute, 30 % duplicates, 10 % out of order; each save must be stored once.

    python -m benchmarks.load.webhook_flood [--rate 100] [--seconds 60] [--database sqlite|postgresql]

The schedule is open: a delivery goes out at its time, whether or not those before were answered, on a connection of
its own, as Label Studio sends it. The worker runs beside the web service; a stand-in answers what it asks of Label
Studio, which could not make a hundred saves a second. The exit status is 1 if a save has no row or two, a task shows
another save than the newest, or jobs pile up.
"""

import argparse
import http.client
import json
import logging
import queue
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.load.figures import MemoryWatch, Timings, percentile, read_access_log, served_table
from benchmarks.load.installation import (
    DATABASES,
    access_log,
    described_machine,
    jobs_waiting,
    service_alone,
    stop_cleanly,
    tumours_of,
    web_and_worker,
)
from benchmarks.load.kept_saves import finish_jobs
from benchmarks.load.stand_in_label_studio import stand_in
from benchmarks.load.webhook_plan import Delivery, Place, plan

if TYPE_CHECKING:
    from tests.annotation_backend.support.installation import Installation

logger = logging.getLogger("benchmarks.load.webhook_flood")

LABEL_STUDIO_GIVES_UP_SECONDS = 1.0

_SENDERS = 64
_TIMEOUT_SECONDS = 30.0
_JOBS_SECONDS = 600.0
_RESULTS = 64


@dataclass
class Flood:
    """One run."""

    timings: Timings = field(default_factory=Timings)
    late: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    jobs: list[int] = field(default_factory=list)
    memory: MemoryWatch = field(default_factory=MemoryWatch)
    began: float = 0.0
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def require(self, holds: bool, otherwise: str) -> None:
        """Notes a check that failed."""
        if not holds:
            self.wrong.append(otherwise)


def main() -> int:
    """Runs the flood and prints its report; exit status 1 if a check failed."""
    options = _options()
    stop_cleanly()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    flood = Flood()
    with tempfile.TemporaryDirectory(prefix="maskloop-flood-") as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        with service_alone(
            folder,
            database=options.database,
            postgresql_url=options.postgresql_url,
            patients=options.patients,
            size=options.size,
        ) as installation:
            deliveries = plan(_places(), _results(), rate=options.rate, seconds=options.seconds)
            _run(flood, deliveries, installation)
            flood.lines += _figures(flood, deliveries, options)
            flood.lines += [*served_table(read_access_log(access_log(folder))), ""]
            flood.lines += [*flood.memory.table(since=flood.began + min(10.0, options.seconds / 2)), ""]
            flood.lines += described_machine(folder)
    sys.stdout.write("\n".join([*flood.lines, *(f"WRONG: {line}" for line in flood.wrong), ""]))
    return 1 if flood.wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rate", type=float, default=100.0, help="deliveries a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--postgresql-url", default="", help="a running server; a throw-away one when left out")
    parser.add_argument("--patients", type=int, default=5)
    parser.add_argument("--size", type=int, default=160, help="the phantoms' T1 columns and rows")
    parser.add_argument("--folder", type=Path, help="kept afterwards; a temporary one when left out")
    return parser.parse_args()


def _run(flood: Flood, deliveries: Sequence[Delivery], installation: "Installation") -> None:
    """Sends the flood, then waits for the worker."""
    from annotation_backend.labeling.models import LabelingTask

    port = urlsplit(installation.label_studio_url).port or 80
    saves = sorted({delivery.save for delivery in deliveries}, key=lambda save: save.version)
    annotations = {save.annotation: json.loads(save.body)["annotation"] for save in saves}
    rows = LabelingTask.objects.select_related("case")
    data = {row.label_studio_id: {"case": row.case.code, "slice": row.slice_index} for row in rows}
    with stand_in(port, annotations=annotations, tasks=data), web_and_worker(installation):
        flood.memory.start()
        flood.began = time.monotonic()
        _send_all(flood, deliveries, installation.url)
        flood.memory.stop()
        _check(flood, deliveries)
        shown = Counter(task.get("state") for task in data.values())
        flood.require(set(shown) == {"annotated"}, f"Label Studio shows {dict(shown)}")


def _places() -> list[Place]:
    """A task for each slice of each case, worked on by the first annotator."""
    from annotation_backend.accounts.models import Role, User
    from annotation_backend.accounts.services import email_of
    from annotation_backend.cases.registration.volumes import picture_plane, select_cases
    from annotation_backend.labeling.models import LabelingProject, LabelingTask
    from annotation_backend.studies.services import ensure_study
    from datasets.study.shipped_protocols import FIRST

    person = User.objects.get(username=email_of(Role.ANNOTATOR))
    person.label_studio_id = 1
    person.save()
    project = LabelingProject.objects.create(study=ensure_study(FIRST), label_studio_id=1, title="Flood")
    slices = [(case, index) for case in select_cases(None) for index in range(picture_plane(case).slice_count)]
    tasks = LabelingTask.objects.bulk_create(
        LabelingTask(project=project, case=case, slice_index=index, label_studio_id=number)
        for number, (case, index) in enumerate(slices, start=1)
    )
    return [Place(task.label_studio_id, project.label_studio_id, person.label_studio_id) for task in tasks]


def _results() -> list[list[dict[str, Any]]]:
    """Results with ragged tumours, by the SDK's codec."""
    from label_studio_sdk.converter.brush import mask2rle

    from annotation_backend.cases.registration.volumes import select_cases
    from annotation_backend.labeling.masks.controls import BRUSH, IMAGE
    from datasets.image.mask import TUMOUR

    noise = np.random.default_rng(0)
    tumours = [picture for case in select_cases(None) for picture in tumours_of(case).values()]
    found = []
    for number in range(_RESULTS):
        tumour = tumours[number % len(tumours)]
        ragged = tumour & (noise.random(tumour.shape) > 0.1)
        code = list(map(int, mask2rle(ragged.astype(np.uint8) * 255)))
        region = {
            "original_width": tumour.shape[1],
            "original_height": tumour.shape[0],
            "image_rotation": 0,
            "value": {"format": "rle", "rle": code, "brushlabels": [TUMOUR]},
            "id": f"flood{number}",
            "from_name": BRUSH,
            "to_name": IMAGE,
            "type": "brushlabels",
            "origin": "manual",
        }
        found.append([region])
    return found


def _send_all(flood: Flood, deliveries: Sequence[Delivery], url: str) -> None:
    from annotation_backend.labeling.studio.credentials import webhook_headers

    waiting: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
    for delivery in [*deliveries, *[None] * _SENDERS]:
        waiting.put(delivery)
    headers = {**webhook_headers(), "Content-Type": "application/json", "Connection": "close"}
    began = time.monotonic() + 1.0
    senders = [
        threading.Thread(target=_send, args=(flood, waiting, urlsplit(url).netloc, headers, began))
        for _ in range(_SENDERS)
    ]
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders):
        time.sleep(1.0)
        flood.jobs.append(jobs_waiting())
        logger.info("%d answered, %d jobs wait", sum(flood.answers.values()), flood.jobs[-1])


def _send(
    flood: Flood, waiting: "queue.SimpleQueue[Delivery | None]", address: str, headers: dict[str, str], began: float
) -> None:
    while (delivery := waiting.get()) is not None:
        time.sleep(max(0.0, began + delivery.at - time.monotonic()))
        flood.late.append(time.monotonic() - began - delivery.at)
        sent, wrong, answer = time.perf_counter(), "", ""
        try:
            connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
            connection.request("POST", "/ml/webhook", body=delivery.save.body, headers=headers)
            response = connection.getresponse()
            answer = response.read().decode()
            wrong = "" if response.status == 200 else f"status {response.status}"
            connection.close()
        except OSError as error:
            wrong = type(error).__name__
        flood.answers[wrong or answer] += 1
        flood.timings.add("webhook", time.perf_counter() - sent, wrong)


def _check(flood: Flood, deliveries: Sequence[Delivery]) -> None:
    """Checks that each save has one row, the newest of each task counts, and the worker finishes."""
    from annotation_backend.labeling.models import Annotation, CaseMask, LabelingTask
    from annotation_backend.labeling.versions.assembly import current_saves

    waited = finish_jobs(_JOBS_SECONDS)
    flood.require(waited is not None, f"the worker was not done after {_JOBS_SECONDS:.0f} s")
    expected = {delivery.save.key for delivery in deliveries}
    rows = Counter(Annotation.objects.values_list("label_studio_id", "saved_at"))
    flood.require(
        set(rows) == expected, f"{len(expected - set(rows))} saves without a row, {len(set(rows) - expected)} others"
    )
    doubled = sum(count > 1 for count in rows.values())
    flood.require(not doubled, f"{doubled} saves with two rows")
    flood.lines.append(
        f"{len(deliveries)} deliveries of {len(expected)} saves: {len(expected - set(rows))} lost, {doubled} doubled."
    )
    newest: dict[int, tuple[Any, int]] = {}
    for delivery in deliveries:
        annotation, moment = delivery.save.key
        task = delivery.save.place.task
        newest[task] = max(newest.get(task, (moment, annotation)), (moment, annotation))
    for task in LabelingTask.objects.filter(label_studio_id__in=newest):
        current = Annotation.objects.current(task)
        found = (current.saved_at, current.label_studio_id) if current else None
        flood.require(found == newest[task.label_studio_id], f"{task} does not show its newest save")
    for case in {task.case for task in LabelingTask.objects.select_related("case")}:
        saves = {save.pk for save in current_saves(case).values() if save is not None}
        mask = CaseMask.objects.filter(case=case).last()
        made_of = set(mask.annotations.values_list("pk", flat=True)) if mask else set()
        flood.require(made_of == saves, f"{case.code}: its newest mask is not made of its newest saves")
    flood.lines.append(
        f"The worker was done {waited:.0f} s later." if waited is not None else "The worker was not done."
    )


def _figures(flood: Flood, deliveries: Sequence[Delivery], options: argparse.Namespace) -> list[str]:
    seconds = flood.timings.seconds["webhook"]
    given_up = sum(value > LABEL_STUDIO_GIVES_UP_SECONDS for value in seconds)
    cases = options.patients
    flood.require(max(flood.jobs, default=0) <= 10 * cases, f"up to {max(flood.jobs)} jobs waited for {cases} cases")
    sizes = [len(delivery.save.body) for delivery in deliveries]
    return [
        f"Jobs waiting: at most {max(flood.jobs, default=0)}, for {cases} cases.",
        f"Answers: {dict(flood.answers)}; {given_up} took longer than the second that Label Studio waits.",
        f"Sent late by p95 {1000 * percentile(flood.late, 0.95):.0f} ms, at most {1000 * max(flood.late):.0f} ms; "
        f"bodies of {percentile(sizes, 0.5) / 1000:.1f} kB.",
        f"{options.rate:.0f} a second for {options.seconds:.0f} s on {options.database}.",
        "",
        *flood.timings.table(),
        "",
    ]


if __name__ == "__main__":
    sys.exit(main())

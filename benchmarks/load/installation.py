"""A whole installation for load tests: phantom patients, Label Studio, our service and worker, on either database."""

import logging
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotation_backend.environment import address_for_label_studio
from benchmarks.load.figures import ACCESS_LOG_FORMAT
from benchmarks.load.simulated_annotator import Assignment, Server
from benchmarks.load.throwaway_postgresql import create_database, throwaway_postgresql

if TYPE_CHECKING:
    from annotation_backend.cases.models import Case
    from tests.annotation_backend.support.installation import Installation

logger = logging.getLogger("benchmarks.load.installation")

DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Person:
    """An account in both services."""

    email: str
    password: str


@contextmanager
def load_installation(
    folder: Path, *, database: str, postgresql_url: str = "", patients: int, size: int = 160
) -> Iterator["Installation"]:
    """Starts everything with phantom patients and sets this process' Django up on the same records.

    Args:
        folder: Empty; everything is kept there.
        database: One of `DATABASES`, for our service and for Label Studio.
        postgresql_url: A running server where databases may be made; empty for a cluster of its own.
        patients: Phantoms; each gives 18 to 20 tasks.
        size: The phantoms' T1 columns and rows.
    """
    from datasets.phantom.cohort import write_phantom_cohort
    from tests.annotation_backend.support.installation import fresh_installation, running

    studies = folder / "studies"
    logger.info("writing %d phantom patients", patients)
    write_phantom_cohort(studies, patients=patients, size=size)
    with ExitStack() as stack:
        fresh = fresh_installation(folder)
        own = {**_access_log(folder), **_databases(stack, folder, database, postgresql_url)}
        installation = replace(fresh, environment={**fresh.environment, **own})
        _set_up_django(installation.environment)
        logger.info("starting everything on %s; several minutes", database)
        stack.enter_context(running(installation, data=studies))
        yield installation


@contextmanager
def service_alone(
    folder: Path, *, database: str, postgresql_url: str = "", patients: int, size: int = 160
) -> Iterator["Installation"]:
    """Our records, filled with registered phantoms and their pictures, without Label Studio; nothing runs yet.

    Args:
        folder: Empty; everything is kept there.
        database: One of `DATABASES`.
        postgresql_url: A running server where databases may be made; empty for a cluster of its own.
        patients: Phantoms.
        size: The phantoms' T1 columns and rows.
    """
    from datasets.phantom.cohort import write_phantom_cohort
    from tests.annotation_backend.support.installation import fresh_installation

    logger.info("writing %d phantom patients", patients)
    write_phantom_cohort(folder / "studies", patients=patients, size=size)
    with ExitStack() as stack:
        fresh = fresh_installation(folder)
        own = {**_access_log(folder), **_databases(stack, folder, database, postgresql_url)}
        installation = replace(fresh, environment={**fresh.environment, **own})
        (folder / "data").mkdir()
        _set_up_django(installation.environment)
        _fill(folder / "studies")
        yield installation


@contextmanager
def web_and_worker(installation: "Installation") -> Iterator[None]:
    """Runs the Procfile's web service and worker until the block ends."""
    import requests

    from annotation_backend import machine
    from annotation_backend.environment import ROOT
    from annotation_backend.supervision.supervisor import Processes

    environment = {
        **installation.environment,
        "GUNICORN_CMD_ARGS": " ".join(
            f"--bind={url.rpartition('/')[2]}" for url in (installation.url, address_for_label_studio(installation.url))
        ),
        "MASKLOOP_WEB_PROCESSES": str(machine.web_processes()),
        "OMP_NUM_THREADS": str(machine.inference_threads()),
    }
    processes = Processes(ROOT / "Procfile", logs=installation.folder / "data" / "logs", environment=environment)

    def is_up() -> bool:
        try:
            return bool(requests.get(f"{installation.url}/alive", timeout=3).ok)
        except requests.RequestException:
            return False

    try:
        for name in ("web", "worker"):
            processes.start(name)
        processes.wait_until(is_up, what="The web service", seconds=120)
        yield
    finally:
        processes.stop()


def stop_cleanly() -> None:
    """Turns a SIGTERM into an exception, so that the processes started here are stopped too."""

    def end(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the clean-up
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)


def access_log(folder: Path) -> Path:
    """Our service's access log; it contains picture addresses, so it stays in the run's own folder."""
    return folder / "access.log"


def add_people(count: int) -> list[Person]:
    """Makes annotators' accounts here and in Label Studio."""
    from annotation_backend.accounts.models import Role
    from annotation_backend.accounts.services import create_person
    from annotation_backend.labeling.project.people import ensure_people
    from annotation_backend.labeling.studio_server.accounts import sign_up
    from annotation_backend.studies.people import give_role
    from annotation_backend.studies.services import find_study

    logger.info("making %d accounts", count)
    people = []
    for number in range(count):
        person, password = create_person(f"load-{number:03d}@maskloop.local")
        give_role(find_study(None), person, Role.ANNOTATOR)
        sign_up(person, password)
        people.append(Person(person.email, password))
    ensure_people()
    return people


def server_to_load() -> Server:
    """The running Label Studio with the names of its controls."""
    from django.conf import settings

    from annotation_backend.labeling.masks import controls
    from annotation_backend.labeling.models import LabelingProject
    from datasets.image.mask import TUMOUR

    project = LabelingProject.objects.get(is_retired=False)
    names = {
        "image": controls.IMAGE,
        "point": controls.SMART_POINT,
        "point_label": controls.point_label(TUMOUR),
        "brush": controls.BRUSH,
        "brush_label": TUMOUR,
    }
    return Server(settings.LABEL_STUDIO_URL, project.label_studio_id, int(project.ml_backend_id or 0), names)


def assignments() -> list[Assignment]:
    """All tasks to annotate, case by case, each with the tumour that the annotator sees on it."""
    from annotation_backend.cases.registration.volumes import select_cases
    from annotation_backend.labeling.predictions.predictions import waiting_tasks

    found = []
    for case in select_cases(None):
        tumours = tumours_of(case)
        for task in waiting_tasks(case):
            nearest = min(tumours, key=lambda index: abs(index - task.slice_index))
            found.append(Assignment(task.label_studio_id, tumours[nearest]))
    return found


def dealt(tasks: Sequence[Assignment], people: int) -> list[list[Assignment]]:
    """Splits the tasks evenly among annotators, neighbouring slices together."""
    parts = np.array_split(np.arange(len(tasks)), people)
    return [[tasks[int(number)] for number in part] for part in parts]


def jobs_waiting() -> int:
    """Number of jobs that the worker has not finished."""
    from django_tasks import TaskResultStatus
    from django_tasks_db.models import DBTaskResult

    return int(DBTaskResult.objects.filter(status__in=(TaskResultStatus.READY, TaskResultStatus.RUNNING)).count())


def described_machine(folder: Path) -> list[str]:
    """Machine, versions and commit, one line each."""
    from django.db import connection

    root = Path(__file__).resolve().parents[2]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 (whatever git there is)
        cwd=root, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
        database = f"{connection.vendor} {cursor.fetchone()[0]}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("label-studio", "Django", "gunicorn", "torch"))
    modes = _journal_modes(folder)
    return [
        f"{os.cpu_count()} cores ({platform.machine()}, {_processor()}), load {os.getloadavg()[0]:.1f} at the end",
        f"Python {platform.python_version()}, {packages}, {database}{f' ({modes})' if modes else ''}",
        f"commit {commit}",
    ]


def _access_log(folder: Path) -> dict[str, str]:
    """gunicorn's own variable for more arguments."""
    return {"GUNICORN_CMD_ARGS": f"--access-logfile '{access_log(folder)}' --access-logformat '{ACCESS_LOG_FORMAT}'"}


def _databases(stack: ExitStack, folder: Path, database: str, url: str) -> dict[str, str]:
    if database == "sqlite":
        ours = folder / "data" / "maskloop.sqlite3"
        return {"DATABASE_URL": f"sqlite:///{ours}", "LABEL_STUDIO_DATABASE_URL": ""}
    url = url or stack.enter_context(throwaway_postgresql())
    mark = os.urandom(4).hex()
    return {
        "DATABASE_URL": create_database(url, f"maskloop_{mark}"),
        "LABEL_STUDIO_DATABASE_URL": create_database(url, f"label_studio_{mark}"),
    }


def _fill(studies: Path) -> None:
    from django.core.management import call_command

    from annotation_backend.accounts.services import create_first_accounts
    from annotation_backend.cases.ingesting.ingest import ingest
    from annotation_backend.cases.registration.export import export_cases
    from annotation_backend.cases.registration.register import register_cases
    from annotation_backend.cases.registration.volumes import select_cases
    from annotation_backend.studies.people import add_first_accounts
    from annotation_backend.studies.services import ensure_study
    from datasets.study.shipped_protocols import FIRST

    call_command("migrate", verbosity=0)
    create_first_accounts()
    study = ensure_study(FIRST)
    add_first_accounts(study)
    logger.info("reading and registering them")
    ingest(studies, study=study)
    register_cases(select_cases(None))
    export_cases(select_cases(None))


def _set_up_django(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    import django

    django.setup()
    logging.getLogger("annotation_backend").setLevel(logging.WARNING)


def tumours_of(case: "Case") -> dict[int, NDArray[Any]]:
    """The tumour (height, width) on each slice that it reaches."""
    from annotation_backend.cases.registration.imported import imported_label
    from annotation_backend.cases.registration.volumes import picture_plane

    mask, plane = imported_label(case), picture_plane(case)
    if mask is None:
        raise RuntimeError(f"{case.code} came without a contour.")
    pictures = {index: plane.to_picture(mask.foreground, index) for index in range(plane.slice_count)}
    return {index: picture for index, picture in pictures.items() if picture.any()}


def _journal_modes(folder: Path) -> str:
    import sqlite3

    modes = []
    for file in sorted(folder.glob("data/**/*.sqlite3")):
        with sqlite3.connect(file, timeout=30) as connection:
            modes.append(f"{file.stem} in {connection.execute('PRAGMA journal_mode').fetchone()[0]} mode")
    return ", ".join(modes)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found.group(1).strip() if found else platform.processor()

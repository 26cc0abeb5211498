"""Times every page of a large study as each role, and the number of queries; prints a table.

    python -m benchmarks.pages.page_times [--cases 10000] [--folder FOLDER] [--over 200] [--only NAME ...]

The database is filled with rows alone (no image is written), once for a folder; pages that read a file are asked for
all the same and say that it is not there. The times are the server's own, whole requests through Django's middleware
and templates in one process: the median of five, after one to warm up. SQLite has counted nothing (no ANALYZE), as in
an installation. It leaves with 1 where a page took longer than it may.
"""

import argparse
import logging
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIMIT_MS = 200.0
TRIES = 5
NAME = "large"
_NOT_PAGES = ("png", "download", "csv", "toml")


def main() -> int:
    """Fills the database where it is empty, asks for the pages, and prints the table."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    _set_up(options.folder)
    study = _filled(options)
    slow = 0
    _say("| page | role | status | queries | ms | processor ms | kB |\n| --- | --- | --- | --- | --- | --- | --- |")
    for role, person in _people(study).items():
        for name, address in _addresses(study):
            if options.only and name not in options.only:
                continue
            row = _timed(person, address)
            if row is None:
                continue
            slow += row[2] > options.over
            status, queries, median, busy, size = row
            flag = " **slow**" if median > options.over else ""
            _say(f"| {name} | {role} | {status} | {queries} | {median:.0f}{flag} | {busy:.0f} | {size:.0f} |")
    return 1 if slow else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "maskloop-pages")
    parser.add_argument("--over", type=float, default=LIMIT_MS, help="longest median, ms")
    parser.add_argument("--only", nargs="*", default=[], help="names of pages")
    return parser.parse_args()


def _set_up(folder: Path) -> None:
    from annotation_backend.environment import fresh_environment

    for name, value in fresh_environment().items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder / 'maskloop.sqlite3'}")
    os.environ.update(MASKLOOP_DATA=str(folder), DJANGO_SETTINGS_MODULE="annotation_backend.settings")
    os.environ["MASKLOOP_ALLOWED_HOSTS"] = "testserver,127.0.0.1"
    import django
    from django.core.management import call_command

    django.setup()
    logging.disable(logging.ERROR)
    call_command("migrate", verbosity=0)


def _filled(options: argparse.Namespace) -> Any:
    from annotation_backend.studies.models import Study
    from benchmarks.pages.filling import Size, fill_study
    from benchmarks.pages.work_rows import fill_work

    known = Study.objects.filter(name=NAME).first()
    if known is not None:
        return known
    chance, begun = random.Random(1), time.perf_counter()  # noqa: S311
    share = options.cases / Size().cases
    size = Size(cases=options.cases, saves=int(Size().saves * share), events=int(Size().events * share))
    study = fill_study(NAME, size, chance=chance)
    fill_work(study, size, chance=chance)
    _say(f"filled in {time.perf_counter() - begun:.0f} s: {size}")
    return study


def _people(study: Any) -> dict[str, Any]:
    from annotation_backend.accounts.models import Role, User
    from annotation_backend.studies.models import STUDY_ROLES
    from annotation_backend.studies.people import people_in

    found = {str(role.label): people_in(study, role).order_by("pk").first() for role in STUDY_ROLES}
    admin, _ = User.objects.get_or_create(username="admin@bench.org", defaults={"is_administrator": True})
    return {str(Role.ADMINISTRATOR.label): admin, **found}


def _addresses(study: Any) -> Iterator[tuple[str, str]]:
    """Every page of a study, of a case in the middle of those that were drawn, and the pages of the installation."""
    from django.urls import NoReverseMatch, reverse

    from annotation_backend.cases.models import Case
    from annotation_backend.urls import of_a_study

    case = Case.objects.filter(study=study, masks__isnull=False).order_by("pk")[1000:1001].first()
    case = case or Case.objects.filter(study=study).earliest("pk")
    values: dict[str, Any] = {
        "code": case.code, "index": 3, "role": "t2", "pk": 1, "mask_id": 1, "one": 1, "other": 1, "number": 1,
        "kind": "registration", "study": study.name,
    }  # fmt: skip
    yield "home", "/"
    yield "guide", "/guide/"
    for one in of_a_study:
        wanted = list(one.pattern.converters)
        here = {name: values[name] for name in wanted if name in values} | {"study": study.name}
        if one.name == "patient-page":
            here["code"] = case.patient.code
        if len(here) <= len(wanted) or any(word in str(one.pattern) for word in _NOT_PAGES):
            continue
        try:
            yield str(one.name), reverse(str(one.name), kwargs=here)
        except NoReverseMatch:
            continue


def _timed(person: Any, address: str) -> tuple[int, int, float, float, float] | None:
    """Status, queries, median time and processor time (ms), size (kB); None for who may not, and for no GET."""
    from django.db import connection
    from django.test import Client

    queries: list[str] = []

    def counting(execute: Any, sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    client = Client(raise_request_exception=False)
    client.force_login(person)
    with connection.execute_wrapper(counting):
        answer = client.get(address)
    if answer.status_code in (403, 404, 405) or answer.streaming:
        return None
    times, busy = [], []
    for _ in range(TRIES):
        begun, worked = time.perf_counter(), time.process_time()
        answer = client.get(address)
        times.append(1000 * (time.perf_counter() - begun))
        busy.append(1000 * (time.process_time() - worked))
        if times[-1] > 5000:
            break
    size = len(answer.content) / 1000
    return answer.status_code, len(queries), statistics.median(times), statistics.median(busy), size


if __name__ == "__main__":
    sys.exit(main())

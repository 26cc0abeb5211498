"""The service on PostgreSQL: migrations, and the same saves from many threads at once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotation_backend.environment import ROOT, fresh_environment
from benchmarks.load.throwaway_postgresql import create_database, program_folder, throwaway_postgresql
from tests.annotation_backend.labeling.saves.deliveries import SAVES, THREADS

pytestmark = pytest.mark.slow

RACES = (
    "tests/annotation_backend/review/test_approval_races.py",
    "tests/annotation_backend/review/test_reader_races.py",
    "tests/annotation_backend/work/test_work_races.py",
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a PostgreSQL that nobody else uses."""
    if program_folder() is None:
        pytest.skip("NO POSTGRESQL: the tests on it did not run. Install it (apt-get install postgresql).")
    with throwaway_postgresql() as url:
        yield url


def _run(url: str, *words: str) -> str:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_same_save_from_many_threads_at_once_is_one_row(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'ours.sqlite3'}"
    if database == "postgresql":
        url = create_database(request.getfixturevalue("server"), "ours")
    _run(url, "manage.py", "migrate", "--verbosity", "0")
    assert "No changes" in _run(url, "manage.py", "makemigrations", "--check", "--dry-run")
    found = json.loads(_run(url, "-m", "tests.annotation_backend.labeling.saves.deliveries"))
    assert found["vendor"] == database
    assert found["answers"] == {"stored": SAVES, "known": SAVES * (THREADS - 1)}
    assert found["saved_at"] == list(range(SAVES))
    assert found["rows"] == SAVES
    assert found["believed"] is None, "what only webhooks vouch for does not count"
    assert (found["current"], found["state"]) == (SAVES - 1, "annotated")
    assert 1 <= found["jobs"] <= SAVES


def test_verdicts_saves_registrations_and_builds_at_the_same_moment(server: str) -> None:
    """The same races as on SQLite: here the case's row is what they wait for."""
    url = create_database(server, "races")
    assert "skipped" not in _run(url, "-m", "pytest", "-q", "-p", "no:cacheprovider", *RACES)


def test_connections_are_kept_and_checked_on_postgresql_only() -> None:
    code = (
        "import django; django.setup(); from django.conf import settings; database = settings.DATABASES['default'];"
        "print(database.get('CONN_MAX_AGE', 0), database.get('CONN_HEALTH_CHECKS', False))"
    )
    own = {**os.environ, **fresh_environment(), "DJANGO_SETTINGS_MODULE": "annotation_backend.settings"}
    for url, expected in (
        ("sqlite:////tmp/none.sqlite3", "0 False"),
        ("postgresql://a:b@127.0.0.1/none", "60 True"),
        ("postgresql://a:b@127.0.0.1/none?conn_max_age=5", "5 True"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**own, "DATABASE_URL": url}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        assert done.stdout.strip() == expected

"""Ctrl-C, which a terminal sends to a command and to all its workers at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotation_backend.environment import ROOT, fresh_environment
from tests.annotation_backend.support.cohorts import write_small_cohort

PATIENCE_SECONDS = 120


def _as_in_a_terminal() -> None:
    """A shell that runs the tests in the background has them ignore Ctrl-C, and so whatever they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_an_interrupted_ingest_says_so_in_one_line_and_leaves_nothing_half(tmp_path: Path) -> None:
    write_small_cohort(tmp_path / "studies", patients=2)
    data = tmp_path / "data"
    own = {"MASKLOOP_DATA": str(data), "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "annotation_backend.settings"}
    environment = {**os.environ, **fresh_environment(), **own}
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    created = [*manage, "create_study", "mstt-199", "--protocol", "mstt-199"]
    subprocess.run(created, cwd=ROOT, env=environment, check=True)
    words = [*manage, "ingest_studies", str(tmp_path / "studies"), "--workers", "2"]
    process = subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, preexec_fn=_as_in_a_terminal,
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not list(data.glob("scratch/run-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=PATIENCE_SECONDS)[0]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.strip().endswith("[interrupted]")
    assert not list(data.glob("scratch/run-*"))
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "2 new case(s)" in done.stderr

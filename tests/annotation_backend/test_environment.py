"""The private `.env` file, and an installation without one."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from annotation_backend.environment import ROOT, fresh_environment, write_environment


def test_secrets_are_drawn_afresh_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert write_environment(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first, second = fresh_environment(), fresh_environment()
    secret = [name for name in first if name.endswith(("PASSWORD", "KEY", "TOKEN"))]
    assert len(secret) == 7
    assert all(first[name] != second[name] for name in secret)


def test_an_existing_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("MINE=1\n")
    assert not write_environment(path)
    assert path.read_text() == "MINE=1\n"


@pytest.mark.parametrize("name", ["MASKLOOP_SECRET_KEY", "LABEL_STUDIO_TOKEN", "ML_BACKEND_PASSWORD"])
@pytest.mark.parametrize("value", ["", "short"])
def test_without_a_proper_secret_nothing_starts(name: str, value: str) -> None:
    environment = {
        **os.environ,
        **fresh_environment(),
        name: value,
        "DJANGO_SETTINGS_MODULE": "annotation_backend.settings",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"{name} is missing or shorter" in done.stderr


def test_check_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup();"
        "import annotation_backend.urls; from django.core.management import call_command; call_command('check');"
        "print([m for m in ('torch', 'monai', 'ants', 'transformers', 'SimpleITK', 'skimage', 'sklearn',"
        " 'label_studio_sdk') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")

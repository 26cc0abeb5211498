"""Installations for tests on the real Label Studio; its database is migrated once a run and copied for each."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from filelock import FileLock

from annotation_backend.environment import ROOT
from tests.annotation_backend.support.installation import Installation, fresh_installation

_MIGRATE = """
import subprocess, sys, django
django.setup()
from annotation_backend.labeling.studio_server.server import data_folder, environment
data_folder().mkdir(parents=True)
import label_studio
command = [sys.executable, label_studio.__path__[0] + "/manage.py", "migrate", "--verbosity", "0"]
subprocess.run(command, env=environment(), check=True)
"""


@pytest.fixture(scope="session")
def studio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label Studio's folder with its database migrated and nobody in it; it is kept between runs."""
    folder = ROOT / ".pytest_cache" / f"label-studio-{version('label-studio')}"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            made = fresh_installation(tmp_path_factory.mktemp("label-studio-database"))
            subprocess.run([sys.executable, "-c", _MIGRATE], cwd=ROOT, env=made.environment, check=True)
            shutil.rmtree(f"{folder}.part", ignore_errors=True)  # of a run that was killed
            shutil.copytree(made.folder / "data" / "label_studio", f"{folder}.part")
            Path(f"{folder}.part").rename(folder)
    return folder


@pytest.fixture(scope="session")
def new_installation(studio_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Installation]:
    """Makes an installation that was never started, but whose Label Studio need not migrate its database."""

    def make() -> Installation:
        installation = fresh_installation(tmp_path_factory.mktemp("installation"))
        shutil.copytree(studio_folder, installation.folder / "data" / "label_studio")
        return installation

    return make

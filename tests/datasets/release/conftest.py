"""One sound release, built once, and a copy of it for each test that damages it."""

import shutil
from pathlib import Path

import pytest

from datasets.release.build import build_release
from tests.datasets.release.samples import SETTINGS, write_cases


@pytest.fixture(scope="package")
def sound_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release that tests must not change."""
    folder = tmp_path_factory.mktemp("sound")
    return build_release(write_cases(folder), SETTINGS, folder / "releases").folder


@pytest.fixture
def release(sound_release: Path, tmp_path: Path) -> Path:
    """A release that a test may damage."""
    return Path(shutil.copytree(sound_release, tmp_path / sound_release.name))

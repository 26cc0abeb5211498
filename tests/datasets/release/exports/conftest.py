"""A release of asymmetric phantoms, built once, and its exports, each made once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.release.build import build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.source import ReleaseSource, open_release
from tests.datasets.release.exports.phantoms import SETTINGS, write_cases

Export = Callable[..., Path]


@pytest.fixture(scope="package")
def phantom_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release that tests must not change: a case without CT, another with an empty mask."""
    folder = tmp_path_factory.mktemp("phantoms")
    return build_release(write_cases(folder), SETTINGS, folder / "releases").folder


@pytest.fixture(scope="package")
def source(phantom_release: Path) -> ReleaseSource:
    """The same, opened."""
    return open_release(phantom_release)


@pytest.fixture
def export(source: ReleaseSource, tmp_path: Path) -> Export:
    """Exports the release into a format, with options by their names."""

    def exported(name: str, **options: object) -> Path:
        folder = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        write_export(plan_export(source, FORMATS[name], ExportOptions(**options)), folder)
        return folder

    return exported

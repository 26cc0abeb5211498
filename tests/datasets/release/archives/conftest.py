"""Two versions of a release: of the second a case left, one is new, one mask changed, and one file has another name."""

from dataclasses import replace
from pathlib import Path

import pytest

from datasets.release.build import build_release
from tests.datasets.release.samples import CODES, SETTINGS, write_case


@pytest.fixture(scope="package")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of 1.2.0 and 1.3.0, which tests must not change."""
    folder = tmp_path_factory.mktemp("versions")
    cases = [write_case(folder / "old", number) for number in (1, 2, 3)]
    old = build_release(cases, SETTINGS, folder / "releases").folder
    renamed = replace(cases[0], code=CODES[3])
    new = [renamed, write_case(folder / "new", 2, empty=True), write_case(folder / "new", 5)]
    settings = replace(SETTINGS, version="1.3.0", follows="1.2.0", withdrawn=(CODES[0], CODES[2]))
    return old, build_release(new, settings, folder / "releases", former=old).folder

"""A server of S3, places of every kind to publish to, empty for each test, and a small release with another version."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from datasets.release.build import build_release
from tests.datasets.release.samples import SETTINGS, write_case
from tests.datasets.support.s3_server import running_server


@pytest.fixture(scope="session")
def server() -> Iterator[dict[str, str]]:
    """The environment in which boto3 finds the server."""
    with running_server() as environment:
        yield environment


@pytest.fixture
def credentials(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's environment in this process."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def s3(credentials: None) -> str:
    """An address in the server's sound bucket."""
    return f"s3://sound/{uuid4().hex}/a b"


@pytest.fixture
def memory() -> str:
    """An address in a store of fsspec."""
    return f"memory://{uuid4().hex}"


@pytest.fixture(params=["folder", "s3", "memory"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of each kind, at which nothing lies."""
    return str(tmp_path / "published") if request.param == "folder" else request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of one case, which tests must not change."""
    folder = tmp_path_factory.mktemp("small")
    return build_release([write_case(folder, 1)], SETTINGS, folder / "releases").folder


@pytest.fixture(scope="session")
def rival(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another release of the same name and version."""
    folder = tmp_path_factory.mktemp("rival")
    settings = replace(SETTINGS, description="Other words.")
    return build_release([write_case(folder, 1)], settings, folder / "releases").folder

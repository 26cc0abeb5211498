"""A server of S3, and places of every kind to publish to, empty for each test."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.datasets.support.s3_server import running_server


@pytest.fixture(scope="session")
def server() -> Iterator[dict[str, str]]:
    """The environment in which boto3 finds the server."""
    with running_server() as environment:
        yield environment


@pytest.fixture
def s3(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """An address in the server's sound bucket."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    return f"s3://sound/{uuid4().hex}/a b"


@pytest.fixture
def memory() -> str:
    """An address in a store of fsspec."""
    return f"memory://{uuid4().hex}"


@pytest.fixture(params=["folder", "s3", "memory"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of each kind, at which nothing lies."""
    return str(tmp_path / "published") if request.param == "folder" else request.getfixturevalue(request.param)

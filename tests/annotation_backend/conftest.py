"""Fixtures of attacks on pages and stored files: four people, an annotated case, a radiologist who would approve it."""

from pathlib import Path

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.studies.models import Study
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, signed_in, the_study


@pytest.fixture(autouse=True)
def study(request: pytest.FixtureRequest) -> Study | None:
    """The first study, of every test that has a database."""
    if request.node.get_closest_marker("django_db") is None and "db" not in request.fixturenames:
        return None
    request.getfixturevalue("db")
    return the_study()


@pytest.fixture
def people() -> dict[Role, User]:
    """The four first accounts."""
    return accounts()


@pytest.fixture
def mask(people: dict[Role, User], tmp_path: Path, settings) -> CaseMask:
    """Of a case on which an annotator drew one slice, in a data folder of its own."""
    settings.DATA_FOLDER = tmp_path / "data"
    task = published(registered_case())[2]
    saved(task)
    made = assemble(task.case)
    assert made is not None
    return made


@pytest.fixture
def studio_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Label Studio as if it answered, for pages that only send a browser there."""
    monkeypatch.setattr("annotation_backend.labeling.views.studio.require_up", lambda: None)


@pytest.fixture
def radiologist(people: dict[Role, User]) -> Client:
    """The radiologist's browser, signed in."""
    return signed_in(people[Role.RADIOLOGIST])

"""Fixtures of attacks on pages and stored files: four people, an annotated case, a radiologist who would approve it."""

from pathlib import Path

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.assembly import assemble
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, signed_in


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
def radiologist(people: dict[Role, User]) -> Client:
    """The radiologist's browser, signed in."""
    return signed_in(people[Role.RADIOLOGIST])

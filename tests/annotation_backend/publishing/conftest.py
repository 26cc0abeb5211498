"""Cases of a study that a radiologist approved, in a data folder of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.models import Review
from tests.annotation_backend.support.records import approve, published, registered_case, saved

Approved = Callable[..., Review]


@pytest.fixture
def approved(people: dict[Role, User], tmp_path: Path, settings) -> Approved:
    """Makes an approved case: its code, and what `registered_case` and `approve` take."""
    settings.DATA_FOLDER = tmp_path / "data"

    def make(code: str, *, tissue_type: str = "nerve", **verdict: object) -> Review:
        number = int(code[1:])
        task = published(registered_case(code, tissue_type=tissue_type), first_task=1000 * number)[2]
        saved(task, identifier=10 * number)
        mask = assemble(task.case)
        assert mask is not None
        return approve(mask, people[Role.RADIOLOGIST], **verdict)

    return make


@pytest.fixture
def two(approved: Approved) -> list[Review]:
    """Two approved cases of two patients."""
    return [approved("C0001"), approved("C0002", tissue_type="fat")]


def case_of(review: Review) -> Case:
    """The review's case as the database has it now."""
    return Case.objects.get(pk=review.mask.case_id)


def data_folder() -> Path:
    """Where everything lies."""
    return Path(django_settings.DATA_FOLDER)

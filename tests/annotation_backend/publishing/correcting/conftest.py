"""Cases whose masks differ, as patients' do, in a release; and what comes after it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.services import publish_release
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from datasets.release.correcting.erratum_report import ErratumReport, FaultyPart
from datasets.release.settings import ReleaseSettings
from tests.annotation_backend.support.records import SHAPE, approve, published, registered_case, saved

FIRST = ReleaseSettings(name="tumours", version="1.0.0", licence="CC0-1.0", folds=2)

Redrawn = Callable[[str], Review]


def version(number: str, *, name: str = "tumours") -> ReleaseSettings:
    """A further version, or another release."""
    return replace(FIRST, version=number, name=name)


def mask_from(row: int) -> np.ndarray:
    """A mask in picture orientation that begins in a row of its own."""
    mask = np.zeros((SHAPE[1], SHAPE[0]), dtype=bool)
    mask[row : row + 5, 6:15] = True
    return mask


def drawn_by_hand(task: LabelingTask, row: int, *, at: str = "2026-11-21T10:00:00.000001Z") -> None:
    """A save of a mask that begins in a row."""
    region = region_of(mask_from(row), region_id="a", score=None)
    saved(task, identifier=task.label_studio_id, result=[region], updated_at=at)


def approved_case(code: str, radiologist: User, *, row: int | None = None) -> Review:
    """An approved case, whose mask begins in a row of its own where none is said."""
    number = int(code[-4:])
    task = published(registered_case(code), first_task=1000 * number)[2]
    drawn_by_hand(task, number if row is None else row)
    mask = assemble(task.case)
    assert mask is not None
    return approve(mask, radiologist)


@pytest.fixture
def three(people: dict[Role, User], tmp_path: Path, settings) -> list[Review]:
    """Three approved cases of three patients."""
    settings.DATA_FOLDER = tmp_path / "data"
    return [approved_case(code, people[Role.RADIOLOGIST]) for code in ("C0001", "C0002", "C0003")]


@pytest.fixture
def first(study: Study, three: list[Review]) -> Release:
    """The first version."""
    return publish_release(study, FIRST).release


@pytest.fixture
def redrawn(people: dict[Role, User]) -> Redrawn:
    """Draws a case again, and approves it."""

    def draw(code: str) -> Review:
        task = LabelingTask.objects.get(case__code=code, slice_index=2)
        drawn_by_hand(task, 12, at="2026-11-22T10:00:00.000001Z")
        mask = assemble(task.case)
        assert mask is not None
        return approve(mask, people[Role.RADIOLOGIST])

    return draw


def said_of(release: Release, code: str, **changes: object) -> ErratumReport:
    """A report of a wrong mask."""
    values = {"part": FaultyPart.MASK, "text": "The lower part is missing.", "slices": (2,), **changes}
    return ErratumReport(release.name, release.version, release.digest, code, **values)  # type: ignore[arg-type]

"""The annotator of an interactive request, and the mask on its picture."""

from typing import Any

import numpy as np
import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.labeling.interface.open_task import OpenTask, read_open_task
from annotation_backend.labeling.masks.regions import region_of
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from tests.annotation_backend.support.records import AFFINE, SHAPE, accounts, drawn

pytestmark = pytest.mark.django_db

PLANE = PicturePlane.of(Grid(SHAPE, AFFINE))
EMAIL = "annotator@maskloop.local"


def _row(region_id: str, at: str, *, mask: np.ndarray | None = None, **more: Any) -> dict[str, Any]:
    region = region_of(drawn() if mask is None else mask, region_id=region_id, score=None)
    return {"result": [region], "updated_at": f"2026-11-21T10:00:{at}Z", **more}


def _read(**task: Any) -> OpenTask:
    return read_open_task(task, PLANE, asking={"p1"}, label="Tumour")


def test_a_draft_tells_who_asks_and_what_is_there() -> None:
    person = accounts()[Role.ANNOTATOR]
    seen = _read(drafts=[_row("a", "05", user=EMAIL)], annotations=[], predictions=[_row("b", "01")])
    assert seen.person == person
    assert list(seen.parts) == ["a"]
    assert np.array_equal(seen.mask, drawn())
    assert seen.saved is not None


def test_of_several_drafts_the_one_that_holds_the_prompt_is_the_asking_persons() -> None:
    radiologist = accounts()[Role.RADIOLOGIST]
    own = _row("a", "01", user=radiologist.email)
    own["result"].append({"id": "p1", "type": "keypointlabels", "value": {}})
    assert _read(drafts=[_row("b", "09", user=EMAIL), own]).person == radiologist


def test_an_annotation_saved_after_the_draft_is_what_is_seen_unless_it_was_skipped() -> None:
    nothing = np.zeros(PLANE.shape, dtype=bool)
    draft, save = _row("a", "05", user=EMAIL), _row("s", "07", mask=nothing, was_cancelled=False)
    assert list(_read(drafts=[draft], annotations=[save]).parts) == ["s"]
    assert list(_read(drafts=[draft], annotations=[{**save, "was_cancelled": True}]).parts) == ["a"]


def test_before_anything_is_saved_the_prediction_is_seen_and_nobody_is_known() -> None:
    seen = _read(drafts=[], annotations=[], predictions=[_row("old", "01"), _row("new", "02")])
    assert (seen.person, seen.saved, list(seen.parts)) == (None, None, ["new"])


@pytest.mark.parametrize(
    "task",
    [
        {},
        {"drafts": None, "annotations": "x", "predictions": [7]},
        {"drafts": [{"user": 5, "result": "x", "updated_at": "soon"}]},
        {"drafts": [{"user": "nobody@example.org", "result": [{"type": "brushlabels", "id": "a", "value": None}]}]},
        {"predictions": [{"updated_at": "2026-99-99T10:00:00Z", "result": [None, {"type": "brushlabels"}]}]},
    ],
)
def test_what_is_not_as_label_studio_sends_it_counts_as_nothing(task: dict[str, Any]) -> None:
    seen = _read(**task)
    assert seen.person is None
    assert not seen.mask.any()

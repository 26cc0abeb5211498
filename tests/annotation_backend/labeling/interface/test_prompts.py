"""Smart points and boxes of an interactive request: their kinds, and those that are refused."""

from typing import Any

import numpy as np
import pytest

from annotation_backend.inference.sessions.smart_prompts import SessionCommand
from annotation_backend.labeling.interface.prompts import MOST_PROMPTS, read_context
from annotation_backend.labeling.masks.controls import (
    EXTREME_LABEL,
    IMAGE,
    SMART_POINT,
    START_OVER_LABEL,
    UNDO_LABEL,
)
from annotation_backend.registry.models import PromptKind
from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from tests.annotation_backend.support.records import unaccepted_prompt

PLANE = PicturePlane.of(Grid((24, 20, 5), np.diag([-1.0, -1.0, 4.0, 1.0])))


def _point(label: str = "Tumour point", **value: object) -> dict[str, Any]:
    return {
        "id": "a1",
        "type": "keypointlabels",
        "from_name": SMART_POINT,
        "to_name": IMAGE,
        "is_positive": True,
        "original_width": 24,
        "original_height": 20,
        "value": {"x": 50.0, "y": 50.0, "width": 0.3, "keypointlabels": [label], **value},
    }


def _refusal(region: object) -> str:
    with pytest.raises(RejectedInput) as refused:
        read_context([region], plane=PLANE, index=0, labels=["Tumour"])  # type: ignore[list-item]
    return refused.value.code


def test_a_box_lands_on_its_voxels() -> None:
    [prompt] = read_context([unaccepted_prompt()], plane=PLANE, index=3, labels=["Tumour"])
    [box] = prompt.prompts.boxes
    corner, opposite = PLANE.grid.to_voxel([box.corner_mm, box.opposite_mm])
    assert prompt.action is PromptKind.BOX
    assert corner[2] == opposite[2] == 3
    assert sorted([corner[0], opposite[0]]) == pytest.approx([24 * 0.1 - 0.5, 24 * 0.6 - 0.5])


def test_clicks_keep_their_sign_and_their_id() -> None:
    regions = [_point(), {**_point(x=10.0), "is_positive": False, "id": "b2"}]
    read = read_context(regions, plane=PLANE, index=0, labels=["Tumour"])
    assert [prompt.region_id for prompt in read] == ["a1", "b2"]
    assert [prompt.prompts.clicks[0].positive for prompt in read] == [True, False]


def test_each_label_of_the_points_means_something_else() -> None:
    labels = ["Tumour point", EXTREME_LABEL, UNDO_LABEL, START_OVER_LABEL]
    asked = [read_context([_point(label)], plane=PLANE, index=0, labels=["Tumour"])[0].action for label in labels]
    assert asked == [PromptKind.POINT, PromptKind.EXTREME_POINTS, SessionCommand.UNDO, SessionCommand.START_OVER]


@pytest.mark.parametrize("x", [-1, 100.5, float("nan"), float("inf"), 10**400, "50", None, True])
def test_a_point_that_is_not_on_the_picture_is_refused(x: object) -> None:
    assert _refusal(_point(x=x)) == "prompt-position"


@pytest.mark.parametrize(
    "change",
    [
        {"from_name": "other"},
        {"to_name": "companion"},
        {"from_name": 7},
        {"id": None},
        {"id": "x" * 65},
        {"type": "rectanglelabels"},
        {"value": None},
        {"value": {"x": 1, "y": 1, "keypointlabels": ["Liver"]}},
        {"value": {"x": 1, "y": 1, "keypointlabels": ["Tumour point", EXTREME_LABEL]}},
        {"value": {"x": 1, "y": 1, "keypointlabels": "Tumour point"}},
        {"value": {"x": 1, "y": 1}},
    ],
)
def test_a_prompt_that_is_not_of_our_controls_is_refused(change: dict[str, Any]) -> None:
    assert _refusal({**_point(), **change}) == "prompt-control"


@pytest.mark.parametrize("change", [{"original_width": 512}, {"original_height": None}, {"item_index": 2}])
def test_a_prompt_on_another_picture_is_refused(change: dict[str, Any]) -> None:
    assert _refusal({**_point(), **change}) == "prompt-picture"


def test_ten_thousand_prompts_at_once_are_refused() -> None:
    with pytest.raises(RejectedInput, match=f"at most {MOST_PROMPTS}.*too-many-prompts"):
        read_context([unaccepted_prompt()] * 10_000, plane=PLANE, index=0, labels=["Tumour"])


def test_a_rotated_box_or_picture_is_refused() -> None:
    region = unaccepted_prompt()
    region["value"]["rotation"] = 20
    assert _refusal(region) == "prompt-rotated"
    assert _refusal({**_point(), "image_rotation": 90}) == "prompt-rotated"


def test_regions_that_are_no_prompts_are_passed_over() -> None:
    assert (
        read_context([{"type": "brushlabels"}, {"type": "textarea"}, {}], plane=PLANE, index=0, labels=["Tumour"]) == ()
    )

"""Smart points and boxes of a Label Studio result to prompts."""

import numpy as np
import pytest

from annotation_backend.labeling.prompts import prompts_of
from datasets.errors import RejectedInput
from datasets.picture_plane import PicturePlane
from datasets.volume import Grid
from tests.annotation_backend.records import unaccepted_prompt

PLANE = PicturePlane.of(Grid((24, 20, 5), np.diag([-1.0, -1.0, 4.0, 1.0])))


def _point(**value: object) -> dict[str, object]:
    return {"type": "keypointlabels", "is_positive": True, "value": {"x": 50.0, "y": 50.0, "width": 0.3, **value}}


def test_a_box_lands_on_its_voxels() -> None:
    [box] = prompts_of([unaccepted_prompt()], plane=PLANE, index=3).boxes
    corner, opposite = PLANE.grid.to_voxel([box.corner_mm, box.opposite_mm])
    assert corner[2] == opposite[2] == 3
    assert sorted([corner[0], opposite[0]]) == pytest.approx([24 * 0.1 - 0.5, 24 * 0.6 - 0.5])


def test_clicks_keep_their_sign() -> None:
    regions = [_point(), {**_point(x=10.0), "is_positive": False}]
    assert [click.positive for click in prompts_of(regions, plane=PLANE, index=0).clicks] == [True, False]


@pytest.mark.parametrize("x", [-1, 100.5, float("nan"), float("inf"), 10**400, "50", None, True])
def test_a_point_that_is_not_on_the_picture_is_refused(x: object) -> None:
    with pytest.raises(RejectedInput, match="prompt-position"):
        prompts_of([_point(x=x)], plane=PLANE, index=0)


def test_a_thousand_prompts_at_once_are_refused() -> None:
    with pytest.raises(RejectedInput, match="too-many-prompts"):
        prompts_of([unaccepted_prompt()] * 1000, plane=PLANE, index=0)


def test_a_rotated_box_is_refused() -> None:
    region = unaccepted_prompt()
    region["value"]["rotation"] = 20
    with pytest.raises(RejectedInput, match="prompt-rotated"):
        prompts_of([region], plane=PLANE, index=0)

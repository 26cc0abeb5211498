"""Regions of a Label Studio result to masks."""

import numpy as np

from annotation_backend.labeling.regions import mask_of, region_of
from tests.annotation_backend.records import drawn, unaccepted_prompt


def test_regions_of_one_label_are_joined_and_unaccepted_prompts_dropped() -> None:
    first, second = drawn(), np.roll(drawn(), 5, axis=0)
    regions = [
        region_of(first, region_id="a", score=None),
        unaccepted_prompt(),
        region_of(second, region_id="b", score=1.0),
    ]
    assert np.array_equal(mask_of(regions, height=20, width=24).pixels, first | second)


def test_an_unreadable_region_is_counted_and_the_others_stay() -> None:
    broken = region_of(drawn(), region_id="a", score=None)
    broken["value"] = {**broken["value"], "rle": [1, 2, 3]}
    result = mask_of([broken, region_of(drawn(), region_id="b", score=None)], height=20, width=24)
    assert result.unreadable == 1
    assert np.array_equal(result.pixels, drawn())

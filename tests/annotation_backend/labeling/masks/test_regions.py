"""Regions of a Label Studio result to masks."""

from typing import Any

import numpy as np
import pytest

from annotation_backend.labeling.masks.regions import MaskFormat, drawn_masks, mask_of, region_of
from datasets.image.mask import OEDEMA, TUMOUR
from tests.annotation_backend.support.records import drawn, unaccepted_prompt

SIZE = {"height": 20, "width": 24}


def _region(**changes: Any) -> dict[str, Any]:
    return {**region_of(drawn(), region_id="a", score=None), **changes}


@pytest.mark.parametrize("mask_format", MaskFormat)
def test_a_region_of_either_format_comes_back(mask_format: MaskFormat) -> None:
    region = region_of(drawn(), region_id="a", score=0.5, mask_format=mask_format)
    assert (region["from_name"], region["to_name"], region["score"]) == (mask_format.value, "image", 0.5)
    assert region["type"] == f"{mask_format}labels"
    assert region["value"][region["type"]] == [TUMOUR]
    assert np.array_equal(mask_of([region], **SIZE).pixels, drawn())


def test_regions_of_one_label_are_joined_and_unaccepted_prompts_dropped() -> None:
    first, second = drawn(), np.roll(drawn(), 5, axis=0)
    regions = [
        region_of(first, region_id="a", score=None),
        unaccepted_prompt(),
        region_of(second, region_id="b", score=1.0, mask_format=MaskFormat.BITMASK),
    ]
    found = mask_of(regions, **SIZE)
    assert np.array_equal(found.pixels, first | second)
    assert (found.regions, found.unreadable) == (2, 0)


def test_labels_are_kept_apart_and_only_those_asked_for_are_read() -> None:
    regions = [
        region_of(drawn(), region_id="a", score=None),
        region_of(np.flipud(drawn()), region_id="b", score=None, label=OEDEMA),
    ]
    both = drawn_masks(regions, **SIZE, labels=(TUMOUR, OEDEMA))
    assert np.array_equal(both.pixels[TUMOUR], drawn())
    assert np.array_equal(both.pixels[OEDEMA], np.flipud(drawn()))
    assert both.regions == {TUMOUR: 1, OEDEMA: 1}
    assert list(drawn_masks(regions, **SIZE).pixels) == [TUMOUR]
    assert list(drawn_masks(regions, **SIZE, labels=None).pixels) == [TUMOUR, OEDEMA]
    assert not drawn_masks([], **SIZE, labels=(OEDEMA,)).pixels[OEDEMA].any()


def test_a_region_with_two_labels_belongs_to_both() -> None:
    region = _region()
    region["value"] = {**region["value"], "brushlabels": [TUMOUR, OEDEMA]}
    found = drawn_masks([region], **SIZE, labels=(TUMOUR, OEDEMA))
    assert all(np.array_equal(pixels, drawn()) for pixels in found.pixels.values())


def test_joining_leaves_the_masks_of_other_labels_alone() -> None:
    shared = _region()
    shared["value"] = {**shared["value"], "brushlabels": [TUMOUR, OEDEMA]}
    more = region_of(np.flipud(drawn()), region_id="b", score=None, label=OEDEMA)
    found = drawn_masks([shared, more], **SIZE, labels=None)
    assert np.array_equal(found.pixels[TUMOUR], drawn())
    assert np.array_equal(found.pixels[OEDEMA], drawn() | np.flipud(drawn()))


REFUSED = {
    "brush-code": _region(value={"format": "rle", "rle": [1, 2, 3], "brushlabels": [TUMOUR]}),
    "bitmask-code": _region(type="bitmasklabels", value={"imageDataURL": "data:,", "bitmasklabels": [TUMOUR]}),
    "region-size": _region(original_width=20, original_height=24),
    "region-rotated": _region(image_rotation=90),
    "region-picture": _region(item_index=2),
    "region-malformed": _region(value=None),
    "region-label": _region(value={"format": "rle", "rle": _region()["value"]["rle"]}),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_region_that_cannot_be_read_is_counted_with_its_reason_and_the_others_stay(code: str) -> None:
    found = drawn_masks([REFUSED[code], _region()], **SIZE)
    assert [refusal.code for refusal in found.refusals] == [code]
    assert (found.unreadable, found.regions[TUMOUR]) == (1, 1)
    assert np.array_equal(found.pixels[TUMOUR], drawn())


@pytest.mark.parametrize(
    "region",
    [
        None,
        7,
        [],
        _region(value=[]),
        _region(value={"brushlabels": "Tumour"}),
        _region(value={"brushlabels": [7]}),
        _region(value={"brushlabels": []}),
        _region(value={"brushlabels": [TUMOUR]}),
        _region(original_width="24"),
        _region(original_width=10**400),
        _region(original_width=None),
        _region(item_index="1"),
        _region(to_name="companion"),
        _region(to_name=["image"]),
    ],
)
def test_what_is_no_region_of_this_picture_is_counted(region: Any) -> None:
    found = drawn_masks([region, _region()], **SIZE)
    assert found.unreadable == 1
    assert str(found.refusals[0])
    assert np.array_equal(found.pixels[TUMOUR], drawn())


@pytest.mark.parametrize("changes", [{"item_index": 0}, {"item_index": None}, {"image_rotation": 0.0}])
def test_the_first_page_and_an_upright_picture_are_the_picture(changes: dict[str, Any]) -> None:
    assert mask_of([_region(**changes)], **SIZE).unreadable == 0


def test_other_kinds_of_region_are_passed_over() -> None:
    regions = [_region(type="polygonlabels"), _region(type=None), _region(type=["brushlabels"]), {}]
    assert mask_of(regions, **SIZE).unreadable == 0

"""Hints: a line of text as Label Studio takes it."""

from annotation_backend.labeling.interface.hints import LONGEST_HINT, hint_region
from annotation_backend.labeling.masks.controls import HINT


def test_a_hint_is_one_text_on_its_control_and_always_the_same_region() -> None:
    first, second = hint_region("1 of 6 extreme points"), hint_region("2 of 6 extreme points")
    assert first["value"] == {"text": ["1 of 6 extreme points"]}
    assert first["from_name"] == HINT
    assert first["id"] == second["id"]


def test_a_long_hint_is_cut_and_says_so() -> None:
    [said] = hint_region("x" * 1000)["value"]["text"]
    assert len(said) == LONGEST_HINT
    assert said.endswith("…")

"""Box plots: values by hand, legends, and no text that becomes markup."""

from xml.etree import ElementTree

import pytest

from datasets.pages.boxes import MOST_DOTS, box_figure, boxes
from datasets.pages.svg_file import svg_file

GROUPS = {"fat": {"in": [("a", 1.0), ("b", 3.0)], "out": [("a", 9.0)]}, "nerve": {"in": [("c", 2.0)]}}


def _elements(drawing: str, tag: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(svg_file(drawing))
    return [each for each in root.iter() if each.tag == f"{{http://www.w3.org/2000/svg}}{tag}"]


def test_every_case_is_a_dot_with_its_name_and_the_legend_is_inside() -> None:
    drawing = box_figure(GROUPS, y_title="volume (ml)", label="What it says")
    assert [each.text for each in _elements(drawing, "title")] == ["a", "b", "a", "c"]
    words = [each.text for each in _elements(drawing, "text")]
    assert {"fat", "nerve", "in", "out", "volume (ml)"} <= set(words)
    assert 'role="img" aria-label="What it says"' in drawing


def test_a_page_has_its_legend_as_a_list_and_one_series_has_none() -> None:
    assert boxes(GROUPS, y_title="ml").startswith(
        '<ul class="legend"><li class="m0">in</li><li class="m1">out</li></ul><svg'
    )
    assert boxes({"fat": {"in": [("a", 1.0)]}}, y_title="ml").startswith("<svg")
    assert "in" not in [
        each.text for each in _elements(box_figure({"f": {"in": [("a", 1.0)]}}, y_title="", label=""), "text")
    ]


def test_of_many_cases_only_those_beyond_the_whiskers_are_dots() -> None:
    marks = [(f"c{number}", float(number)) for number in range(MOST_DOTS)]
    assert len(_elements(box_figure({"g": {"s": marks}}, y_title="", label=""), "circle")) == MOST_DOTS
    many = [*marks, ("far", 1000.0)]
    assert [each.text for each in _elements(box_figure({"g": {"s": many}}, y_title="", label=""), "title")] == ["far"]
    assert len(_elements(boxes({"g": {"s": many}}, y_title=""), "circle")) == MOST_DOTS + 1


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '" onload="alert(1)', "a & b"])
def test_texts_stay_texts(text: str) -> None:
    drawing = box_figure({text: {text: [(text, 1.0)], "b": [("b", 2.0)]}}, y_title=text, label=text)
    root = ElementTree.fromstring(svg_file(drawing))
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= {"svg", "style", "text", "path", "circle", "title"}
    assert not [name for each in root.iter() for name in each.attrib if name.startswith("on")]
    assert root.attrib["aria-label"] == text
    assert text in [each.text for each in root.iter()]


def test_a_long_name_is_cut_to_its_place() -> None:
    groups = {f"{number}-{'x' * 80}": {"s": [("a", 1.0)]} for number in range(6)}
    words = [each.text or "" for each in _elements(box_figure(groups, y_title="", label=""), "text")]
    assert all(len(word) < 25 for word in words)
    assert sum(word.endswith("…") for word in words) == 6


def test_the_same_groups_give_the_same_bytes() -> None:
    one, other = (svg_file(box_figure(GROUPS, y_title="ml", label="l")) for _ in range(2))
    assert one == other

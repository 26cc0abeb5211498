"""The learning curve: means and intervals by patient, the change on the same patients, and its drawing."""

import re

import pytest

from training.evaluation.learning_curve import CurvePoint, curve_plot, difference

FIRST = CurvePoint("a <b>", 6, {"P1": 0.2, "P2": 0.4, "P3": 0.6}, {"P1": 30.0, "P2": 20.0, "P3": 10.0})
SECOND = CurvePoint("second", 12, {"P1": 0.5, "P2": 0.6, "P3": 0.7, "P4": 1.0}, {"P1": 20.0, "P2": 16.0, "P3": 9.0})


def test_means_are_over_patients_with_an_interval_inside_the_bounds() -> None:
    mean = FIRST.dice_mean
    assert mean.value == pytest.approx(0.4)
    assert mean.lower is not None
    assert mean.upper is not None
    assert 0.0 <= mean.lower < 0.4 < mean.upper <= 1.0
    assert CurvePoint("none", 0).dice_mean.value is None
    assert CurvePoint("one", 1, {"P1": 0.5}).dice_mean.lower is None


def test_a_change_is_that_of_the_patients_that_both_have() -> None:
    assert difference(FIRST.dice, SECOND.dice).value == pytest.approx((0.3 + 0.2 + 0.1) / 3)
    assert difference(FIRST.work, SECOND.work).value == pytest.approx((-10 - 4 - 1) / 3)


def test_the_drawing_has_a_number_and_a_whisker_at_each_mark() -> None:
    drawing = curve_plot([SECOND, FIRST], of_work=False, y_title="Dice")
    assert re.findall(r'<text class="tick"[^>]*>(0\.\d{3})</text>', drawing) == ["0.400", "0.700"]
    assert drawing.count('class="whisker') == 2
    assert "a &lt;b&gt;: 0.400" in drawing
    [line] = re.findall(r'<path class="mean m0" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', drawing)
    left, low, right, high = map(float, line)
    assert left < right
    assert low > high  # downwards in SVG: the Dice rises
    falling = curve_plot([FIRST, SECOND], of_work=True, y_title="actions")
    assert re.findall(r'<text class="tick"[^>]*>(\d+\.\d)</text>', falling) == ["20.0", "15.0"]


def test_one_model_has_no_curve() -> None:
    assert curve_plot([FIRST], of_work=False, y_title="Dice") == ""
    assert curve_plot([FIRST, CurvePoint("untried", 12)], of_work=False, y_title="Dice") == ""


def test_a_number_at_the_edge_stands_inside_the_drawing() -> None:
    points = [CurvePoint("none", 0, {"P1": 0.1}), CurvePoint("last", 10, {"P1": 0.2})]
    drawing = curve_plot(points, of_work=False, y_title="Dice")
    place = r'<text class="tick" x="([\d.]+)"( text-anchor="end")? y="[\d.]+">0\.[12]00</text>'
    [first, last] = re.findall(place, drawing)
    assert first == ("59.0", "")
    assert last == ("425.0", ' text-anchor="end"')  # of 460 pixels

"""Strokes of a simulated annotator: they correct, stay within their bounds, and cover what a round brush covers."""

import numpy as np
import pytest

from datasets.errors import RejectedInput
from training.annotators.strokes import BrushSettings, Stroke, Tool, best_stroke, outline

STEADY = BrushSettings(tremor_mm=0.0)


def disc(radius: float, *, at: tuple[float, float] = (40, 40), shape: tuple[int, int] = (80, 80)) -> np.ndarray:
    rows, columns = np.indices(shape)
    return (rows - at[0]) ** 2 + (columns - at[1]) ** 2 <= radius**2


def stroke_on(truth: np.ndarray, drawn: np.ndarray, brush: BrushSettings = STEADY) -> Stroke | None:
    return best_stroke(truth, drawn, brush, np.random.default_rng(0), pixel_mm=1.0)


def drawn_by_hand(truth: np.ndarray, brush: BrushSettings, strokes: int) -> np.ndarray:
    mask = np.zeros_like(truth)
    random = np.random.default_rng(1)
    for _ in range(strokes):
        stroke = best_stroke(truth, mask, brush, random, pixel_mm=1.0)
        if stroke is None:
            break
        mask = stroke.drawn_on(mask)
    return mask


def test_a_stroke_covers_what_lies_within_its_radius_of_its_way() -> None:
    path = np.array([[20.0, column] for column in range(20, 41)])
    mask = Stroke(Tool.BRUSH, 5.0, path, 20.0).drawn_on(np.zeros((60, 60), bool))
    rows, columns = np.indices(mask.shape)
    away = np.hypot(rows - 20, columns - np.clip(columns, 20, 40))
    np.testing.assert_array_equal(mask, away <= 5.0)
    full = np.ones((60, 60), bool)
    np.testing.assert_array_equal(Stroke(Tool.ERASER, 5.0, path, 20.0).drawn_on(full), ~mask)


@pytest.mark.parametrize("radius", [5, 9, 25])
def test_a_steady_hand_fills_a_disc_within_few_strokes_and_stays_inside(radius: int) -> None:
    truth = disc(radius)
    mask = drawn_by_hand(truth, STEADY, 8)
    assert np.count_nonzero(mask ^ truth) <= 0.1 * np.count_nonzero(truth)
    spilt = mask & ~disc(radius + 1.5)
    assert not spilt.any()


def test_what_is_too_much_is_erased_and_what_lacks_is_painted() -> None:
    small, large = disc(15), disc(20)
    erasing, painting = stroke_on(small, large), stroke_on(large, small)
    assert erasing is not None
    assert painting is not None
    assert (erasing.tool, painting.tool) == (Tool.ERASER, Tool.BRUSH)


def test_a_stroke_mends_more_than_it_spoils_and_is_no_longer_than_the_hand_draws() -> None:
    random = np.random.default_rng(3)
    for number in range(12):
        truth = disc(random.uniform(5, 25), at=(random.uniform(25, 55), random.uniform(25, 55)))
        drawn = disc(random.uniform(5, 25), at=(random.uniform(25, 55), random.uniform(25, 55)))
        brush = BrushSettings(longest_mm=float(random.uniform(5, 60)), tremor_mm=0.0)
        stroke = stroke_on(truth, drawn, brush)
        if stroke is None:
            assert np.count_nonzero(truth ^ drawn) < 40, number
            continue
        assert stroke.length_mm <= brush.longest_mm + 1e-9
        before, after = (np.count_nonzero(mask ^ truth) for mask in (drawn, stroke.drawn_on(drawn)))
        assert before - after >= brush.least_gain


def test_shorter_strokes_are_more_strokes() -> None:
    truth = disc(30)
    needed = []
    for longest in (20.0, 60.0, 200.0):
        count = next(
            n for n in range(1, 99) if _is_near(drawn_by_hand(truth, BrushSettings(longest_mm=longest), n), truth)
        )
        needed.append(count)
    assert needed[0] > needed[1] >= needed[2]


def test_a_finished_mask_gets_no_stroke() -> None:
    assert stroke_on(disc(12), disc(12)) is None
    assert stroke_on(np.zeros((20, 20), bool), np.zeros((20, 20), bool)) is None


def test_the_same_seed_draws_the_same_and_another_seed_trembles_otherwise() -> None:
    truth, nothing = disc(20), np.zeros((80, 80), bool)
    paths = [
        best_stroke(truth, nothing, BrushSettings(), np.random.default_rng(seed), pixel_mm=1.0).path  # type: ignore[union-attr]
        for seed in (5, 5, 6)
    ]
    np.testing.assert_array_equal(paths[0], paths[1])
    assert np.abs(paths[0] - paths[2]).max() > 0.1


def test_tremor_has_the_size_that_was_asked_for() -> None:
    truth, nothing = disc(35), np.zeros((80, 80), bool)
    brush = BrushSettings(radii=(4.0,), longest_mm=100.0, tremor_mm=2.0)
    found = []
    for seed in range(60):
        shaking = best_stroke(truth, nothing, brush, np.random.default_rng(seed), pixel_mm=1.0)
        steady = best_stroke(
            truth, nothing, BrushSettings(radii=(4.0,), tremor_mm=0.0), np.random.default_rng(seed), pixel_mm=1.0
        )
        assert shaking is not None
        assert steady is not None
        found.append((shaking.path - steady.path).ravel())
    assert np.concatenate(found).std() == pytest.approx(2.0, rel=0.15)


def test_an_outline_is_the_rim_and_as_long_as_the_way_round() -> None:
    rim, length = outline(disc(20), 2.0)
    assert length == pytest.approx(2 * np.pi * 18, rel=0.12)
    assert rim[40, 21]
    assert not rim[40, 40]


@pytest.mark.parametrize("wrong", [{"radii": ()}, {"radii": (0.5,)}, {"longest_mm": 0.0}, {"tremor_mm": -1.0}])
def test_a_hand_that_nobody_has_is_refused(wrong: dict) -> None:
    with pytest.raises(RejectedInput) as refused:
        BrushSettings(**wrong)
    assert refused.value.code == "hand-settings"


def _is_near(mask: np.ndarray, truth: np.ndarray) -> bool:
    return bool(np.count_nonzero(mask ^ truth) <= 0.1 * np.count_nonzero(truth))

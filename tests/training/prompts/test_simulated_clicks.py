"""Simulated users click where the mask is wrong, with the chances that their rules state."""

import json
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from training.prompts.simulated_clicks import ClickRule, first_click, next_click

SHAPES = arrays.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=7)
TWO_MASKS = SHAPES.flatmap(lambda shape: st.tuples(*[arrays.arrays(bool, shape)] * 2))
DRAWS = 20_000


def chessboard(region: Inside) -> NDArray[np.int64]:
    """Distance to the nearest voxel outside, by looking at all of them; beyond the array is outside."""
    ring = np.pad(region, 1)
    outside = np.argwhere(~ring)
    return np.array([np.abs(outside - at).max(axis=1).min() for at in np.ndindex(ring.shape)]).reshape(ring.shape)[
        (slice(1, -1),) * region.ndim
    ]


def chi_square(drawn: Counter[tuple[int, ...]], chance: NDArray[np.float64]) -> tuple[float, int]:
    """The statistic and its degrees of freedom, over the voxels that have any chance."""
    expected = {tuple(at): chance[tuple(at)] * sum(drawn.values()) for at in np.argwhere(chance > 0)}
    assert set(drawn) <= set(expected)
    return sum((drawn[at] - count) ** 2 / count for at, count in expected.items()), len(expected) - 1


def require_as_expected(drawn: Counter[tuple[int, ...]], weight: NDArray[np.float64]) -> None:
    """Within five standard deviations of what chance does."""
    statistic, freedom = chi_square(drawn, weight / weight.sum())
    assert statistic < freedom + 5 * np.sqrt(2 * freedom)


def ball(shape: tuple[int, ...], *, filling: float = 0.9) -> Inside:
    half = np.array(shape) / 2
    away = (np.indices(shape).reshape(len(shape), -1).T + 0.5 - half) / (half * filling)
    return np.asarray((np.square(away).sum(axis=1) < 1).reshape(shape))


@given(masks=TWO_MASKS, seed=st.integers(0, 2**32 - 1), rule=st.sampled_from(ClickRule))
def test_click_lies_in_the_error_and_has_its_sign(masks: tuple[Inside, Inside], seed: int, rule: ClickRule) -> None:
    target, predicted = masks
    click = next_click(target, predicted, np.random.default_rng(seed), rule=rule)
    if (target == predicted).all():
        assert click is None
        return
    assert click is not None
    assert target[click.index] != predicted[click.index]
    assert target[click.index] == click.positive
    assert click == next_click(target, predicted, np.random.default_rng(seed), rule=rule)
    if rule is ClickRule.DEEPGROW:
        assert click.positive == ((target & ~predicted).sum() >= (predicted & ~target).sum())


@given(target=SHAPES.flatmap(lambda shape: arrays.arrays(bool, shape)), seed=st.integers(0, 99))
def test_first_click_lies_in_the_tumour(target: Inside, seed: int) -> None:
    if not target.any():
        with pytest.raises(RejectedInput) as caught:
            first_click(target, np.random.default_rng(seed))
        assert caught.value.code == "click-empty-mask"
        return
    for rule in ClickRule:
        index = first_click(target, np.random.default_rng(seed), rule)
        assert target[index]
        assert index == first_click(target, np.random.default_rng(seed), rule)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ClickRule)
def test_chances_of_a_first_click_are_those_stated(rule: ClickRule) -> None:
    target = ball((7, 9))
    target[0, :] = True
    distance = chessboard(target)
    weight = np.expm1(distance) if rule is ClickRule.DEEPGROW else distance.astype(float)
    random = np.random.default_rng(1)
    require_as_expected(Counter(first_click(target, random, rule) for _ in range(DRAWS)), weight)


@pytest.mark.slow
def test_two_stage_rule_draws_from_both_signs_by_distance() -> None:
    target, predicted = np.zeros((2, 8, 12), bool)
    target[1:6, 1:6] = True
    predicted[2:7, 7:11] = True
    drawn = Counter()
    random = np.random.default_rng(2)
    for _ in range(DRAWS):
        click = next_click(target, predicted, random, rule=ClickRule.TWO_STAGE)
        assert click is not None
        drawn[click.index] += 1
    require_as_expected(drawn, chessboard(target != predicted).astype(float))


@pytest.mark.slow
def test_chi_square_check_notices_the_other_rule() -> None:
    target = ball((7, 9))
    random = np.random.default_rng(3)
    drawn = Counter(first_click(target, random, ClickRule.TWO_STAGE) for _ in range(DRAWS))
    with pytest.raises(AssertionError):
        require_as_expected(drawn, np.expm1(chessboard(target)))


def monai_clicks(target: Inside, *, seed: int, count: int) -> list[tuple[int, ...]]:
    """First clicks of MONAI's own transform; it takes a channel axis and answers in JSON."""
    from monai.apps.deepgrow.transforms import AddInitialSeedPointd

    start = AddInitialSeedPointd()
    start.set_random_state(seed=seed)
    label = target[None].astype(np.float32)
    return [tuple(json.loads(start({"label": label})["guidance"])[0][0][1:]) for _ in range(count)]


def test_chances_equal_those_of_monai() -> None:
    """For a tumour that does not touch the array's border."""
    target = np.pad(ball((5, 6, 5)), 1)
    require_as_expected(Counter(monai_clicks(target, seed=4, count=3000)), np.expm1(chessboard(target)))


def test_tumour_cut_by_the_border_is_clicked_in_its_middle() -> None:
    """Where MONAI's clicks gather at the border itself."""
    target = np.zeros((12, 13, 13), bool)
    target[:7, 3:10, 3:10] = True
    random = np.random.default_rng(5)
    assert np.median([first_click(target, random)[0] for _ in range(300)]) == 3
    assert np.median([depth for depth, _, _ in monai_clicks(target, seed=5, count=300)]) < 3


def test_one_slice_of_a_volume_is_like_the_slice_alone() -> None:
    target = ball((9, 9))
    flat, deep = (
        Counter(first_click(array, np.random.default_rng(seed))[-2:] for seed in range(300))
        for array in (target, target[None])
    )
    assert flat == deep


@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 1, 1), (1, 1, 5)])
def test_full_and_tiny_arrays_are_clicked(shape: tuple[int, ...]) -> None:
    target = np.ones(shape, bool)
    for rule in ClickRule:
        assert len(first_click(target, np.random.default_rng(6), rule)) == len(shape)
        click = next_click(target, ~target, np.random.default_rng(6), rule=rule)
        assert click is not None
        assert click.positive


def test_very_deep_regions_have_finite_chances() -> None:
    target = np.ones((1601, 1601), bool)
    index = first_click(target, np.random.default_rng(7))
    assert np.abs(np.array(index) - 800).max() < 20


def test_masks_of_whole_numbers_are_read_and_probabilities_refused() -> None:
    target = ball((6, 6, 6)).astype(np.uint8)
    assert next_click(target, np.zeros_like(target), np.random.default_rng(10)) is not None
    with pytest.raises(RejectedInput) as caught:
        next_click(target, target.astype(np.float32), np.random.default_rng(10))
    assert caught.value.code == "click-not-a-mask"


def test_differing_shapes_and_empty_masks_are_refused() -> None:
    with pytest.raises(RejectedInput) as caught:
        next_click(np.ones((3, 3), bool), np.ones((3, 4), bool), np.random.default_rng(11))
    assert caught.value.code == "click-shapes-differ"
    with pytest.raises(RejectedInput) as caught:
        first_click(np.zeros((3, 3), bool), np.random.default_rng(11))
    assert caught.value.code == "click-empty-mask"


@settings(max_examples=25)
@given(target=arrays.arrays(bool, (6, 7)), seed=st.integers(0, 99))
def test_the_array_around_an_error_changes_nothing(target: Inside, seed: int) -> None:
    """Only the error's extent is looked at, wherever it lies."""
    if not target.any():
        return
    wide = np.pad(target, ((3, 50), (20, 1)))
    row, column = first_click(wide, np.random.default_rng(seed))
    assert (row - 3, column - 20) == first_click(target, np.random.default_rng(seed))


def test_clicking_is_fast(tell_figure: Callable[[str], None]) -> None:
    figures = []
    for shape, limit_s in [((64, 64, 37), 0.1), ((128, 128, 128), 1.5)]:
        target = ball(shape)
        predicted = np.roll(target, 5, axis=0) ^ (np.random.default_rng(12).random(shape) < 0.01)
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            next_click(target, predicted, np.random.default_rng(12))
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < limit_s  # ten times the aim, for a busy machine
        figures.append(f"{target.size:,} voxels {min(seconds) * 1e3:.1f} ms")
    tell_figure(f"simulated click: {', '.join(figures)}")

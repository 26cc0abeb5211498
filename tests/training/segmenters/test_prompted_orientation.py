"""The prompted segmenters answer the same whatever order a volume's axes are in, and where a session goes on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from datasets.image.volume import Grid, Volume
from tests.training.support.ball_examples import ball
from tests.training.support.synthetic import lps_grid, reordered
from tests.training.support.tiny_models import BUILDERS, tiny_segmenter
from training.prompts.prompt import Click, PointMm, Prompts
from training.segmenters.segmenter import SegmentationRequest

SHAPE = (30, 27, 13)
GRID = lps_grid(SHAPE, (1.5, 1.2, 3.0))
TURNS = [
    ((0, 1, 2), (True, False, False)),
    ((0, 1, 2), (True, True, True)),
    ((2, 0, 1), (False, False, False)),
    ((1, 2, 0), (True, False, True)),
    ((2, 1, 0), (False, True, True)),
]
CENTRE = (14.0, 12.0, 6.0)
CLICKS = [((14, 12, 6), True), ((15, 10, 6), True), ((3, 3, 6), False), ((13, 13, 8), True), ((20, 22, 2), True)]

Turn = tuple[tuple[int, int, int], tuple[bool, bool, bool]]


def tilted(grid: Grid) -> Grid:
    """The grid turned by 20 degrees in the patient, so that no number stays whole."""
    angle = np.deg2rad(20)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = turn @ grid.affine
    affine[:3, 3] = (-17.3, 44.9, 101.7)
    return Grid(grid.shape, affine)


def mm(voxels: object, grid: Grid) -> tuple[PointMm, ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in grid.to_world(np.array(voxels, float).reshape(-1, 3)))


def request(name: str, grid: Grid = GRID, *, previous: bool = False) -> SegmentationRequest:
    random = np.random.default_rng(0)
    inside = ball(grid, CENTRE, 9.0)
    volume = Volume((200 + 100 * inside + random.normal(0, 10, SHAPE)).astype(np.float32), grid)
    if name == "six-points":
        ends = [(14, 12, 4), (14, 12, 8), (14, 6, 6), (14, 18, 6), (9, 12, 6), (19, 12, 6)]
        return SegmentationRequest({"t1": volume}, "t1", Prompts(extreme_points=mm(ends, grid)))
    clicks = tuple(Click(mm(voxel, grid)[0], positive) for voxel, positive in CLICKS)
    before = np.where(ball(grid, (14, 13, 6), 7.0), 0.9, 0.05).astype(np.float32) if previous else None
    earlier = None if before is None else Volume(before, grid)
    return SegmentationRequest({"t1": volume}, "t1", Prompts(clicks), previous=earlier)


def turned(asked: SegmentationRequest, turn: Turn) -> SegmentationRequest:
    """The same request on reordered volumes."""
    order, flips = turn
    previous = None if asked.previous is None else reordered(asked.previous, order=order, flips=flips)
    slice_axis = order.index(asked.slice_axis)
    slices = asked.slices
    if slices is not None and flips[slice_axis]:
        count = asked.volumes["t1"].grid.shape[asked.slice_axis]
        slices = tuple(count - 1 - index for index in slices)
    volumes = {name: reordered(volume, order=order, flips=flips) for name, volume in asked.volumes.items()}
    return replace(asked, volumes=volumes, previous=previous, slice_axis=slice_axis, slices=slices)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("place", [lambda grid: grid, tilted], ids=["straight", "tilted"])
@pytest.mark.parametrize("previous", [False, True], ids=["first", "later"])
def test_the_axis_order_changes_no_answer(name: str, turn: Turn, place: Callable[[Grid], Grid], previous: bool) -> None:
    if name == "six-points" and previous:
        pytest.skip("six points take no previous probability")
    asked = request(name, place(GRID), previous=previous)
    segmenter = tiny_segmenter(name)
    answer = segmenter.segment(asked).probability
    assert answer.data.std() > 0.0
    other = segmenter.segment(turned(asked, turn)).probability
    expected = reordered(answer, order=turn[0], flips=turn[1])
    assert expected.grid.matches(other.grid)
    np.testing.assert_allclose(other.data, expected.data, atol=1e-5)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("slices", [None, (6,), (6, 8, 9), (0, 1, 3)])
def test_slices_are_those_of_the_grid_asked_in(turn: Turn, axis: int, slices: tuple[int, ...] | None) -> None:
    """What is drawn lies on the clicked slices among those asked for, in the original and in the turned volume."""
    asked = replace(request("clicks-2d"), slice_axis=axis, slices=slices)
    clicked = {voxel[axis] for voxel, _ in CLICKS}
    expected = clicked if slices is None else clicked & set(slices)
    answer = tiny_segmenter("clicks-2d").segment(asked).probability
    assert drawn_slices(answer, axis) == expected
    again = turned(asked, turn)
    other = tiny_segmenter("clicks-2d").segment(again).probability
    np.testing.assert_allclose(other.data, reordered(answer, order=turn[0], flips=turn[1]).data, atol=1e-5)
    count = SHAPE[axis]
    there = {count - 1 - index if turn[1][again.slice_axis] else index for index in expected}
    assert drawn_slices(other, again.slice_axis) == there


def drawn_slices(probability: Volume, axis: int) -> set[int]:
    others = tuple({0, 1, 2} - {axis})
    return {int(index) for index in np.flatnonzero(probability.data.any(axis=others))}


def test_slices_without_clicks_keep_what_they_had() -> None:
    asked = request("clicks-2d", previous=True)
    assert asked.previous is not None
    answer = tiny_segmenter("clicks-2d").segment(asked).probability.data
    clicked = sorted({voxel[2] for voxel, _ in CLICKS})
    others = [index for index in range(SHAPE[2]) if index not in clicked]
    np.testing.assert_array_equal(answer[:, :, others], asked.previous.data[:, :, others])
    for index in clicked:
        assert not np.array_equal(answer[:, :, index], asked.previous.data[:, :, index])


@pytest.mark.parametrize("slices", [(13,), (-1,), (3, 99)])
def test_a_slice_beyond_the_image_is_refused(slices: tuple[int, ...]) -> None:
    from datasets.errors import RejectedInput

    with pytest.raises(RejectedInput, match="slice-outside"):
        tiny_segmenter("clicks-2d").segment(replace(request("clicks-2d"), slices=slices))


def test_the_models_image_decides_where_slices_lie() -> None:
    """The target may be an image that the model does not see."""
    asked = request("clicks-2d")
    flipped = reordered(asked.volumes["t1"], order=(0, 1, 2), flips=(False, False, True))
    both = replace(asked, volumes=dict(asked.volumes) | {"t2": flipped}, target="t2", slices=(8,))
    assert drawn_slices(tiny_segmenter("clicks-2d").segment(both).probability, 2) == {8}


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "six-points"])
def test_kept_canvases_change_no_answer(name: str) -> None:
    asked = request(name)
    keyed = replace(asked, cache_key="case")
    fresh = tiny_segmenter(name).segment(asked).probability.data
    for _ in range(2):
        np.testing.assert_array_equal(tiny_segmenter(name).segment(keyed).probability.data, fresh)

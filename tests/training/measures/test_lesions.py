"""Lesions counted one by one, by hand; and diameters in 3D against every pair of voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist

from tests.training.support.synthetic import lps_grid
from training.measures.diameter import diameter_3d_mm
from training.measures.lesions import LesionCounts, lesion_counts
from training.measures.metrics import agreement, is_miss

SHAPE = (12, 10, 8)


def box(*sides: tuple[int, int]) -> np.ndarray:
    inside = np.zeros(SHAPE, dtype=bool)
    inside[tuple(slice(*side) for side in sides)] = True
    return inside


TEN = box((0, 10), (0, 1), (0, 1))
"""A lesion of ten voxels in a row."""


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        (TEN, LesionCounts(1, 1, 0)),
        (box((0, 1), (0, 1), (0, 1)), LesionCounts(1, 1, 0)),  # one of ten voxels is a tenth
        (np.zeros_like(TEN), LesionCounts(1, 0, 0)),
        (box((0, 10), (4, 5), (0, 1)), LesionCounts(1, 0, 1)),  # beside it
        (TEN | box((0, 10), (4, 5), (0, 1)), LesionCounts(1, 1, 1)),
        (box((0, 10), (0, 10), (0, 8)), LesionCounts(1, 1, 1)),  # swallows it: 10 of 800 voxels
        (box((0, 2), (0, 1), (0, 1)) | box((5, 7), (0, 1), (0, 1)), LesionCounts(1, 1, 0)),  # two pieces of one
    ],
)
def test_lesions_by_hand(predicted: np.ndarray, expected: LesionCounts) -> None:
    found = lesion_counts(predicted, TEN)
    assert found == expected
    assert found.missed == expected.lesions - expected.detected


def test_a_touch_of_less_than_a_tenth_is_no_detection() -> None:
    eleven = box((0, 11), (0, 1), (0, 1))
    assert lesion_counts(box((0, 1), (0, 1), (0, 1)), eleven) == LesionCounts(1, 0, 0)


def test_of_two_lesions_one_is_missed_and_corners_join() -> None:
    two = box((0, 3), (0, 3), (0, 3)) | box((6, 9), (6, 9), (5, 8))
    found = lesion_counts(box((0, 3), (0, 3), (0, 3)), two)
    assert (found.lesions, found.detected, found.missed, found.false) == (2, 1, 1, 0)
    joined = box((0, 3), (0, 3), (0, 3)) | box((3, 6), (3, 6), (3, 6))
    assert lesion_counts(joined, joined) == LesionCounts(1, 1, 0)


def test_empty_masks_have_no_lesions() -> None:
    empty = np.zeros(SHAPE, dtype=bool)
    assert lesion_counts(empty, empty) == LesionCounts(0, 0, 0)
    assert lesion_counts(TEN, empty) == LesionCounts(0, 0, 1)


@settings(max_examples=60, deadline=None)
@given(inside=arrays(np.bool_, (4, 5, 3)))
def test_no_two_voxels_lie_farther_apart(inside: np.ndarray) -> None:
    grid = lps_grid(inside.shape, (0.7, 1.3, 3.0))
    voxels = grid.to_world(np.argwhere(inside))
    expected = pdist(voxels).max() if len(voxels) > 1 else 0.0
    assert diameter_3d_mm(inside, grid) == pytest.approx(expected)


@pytest.mark.parametrize("flat", [False, True])
def test_a_large_body_is_measured_on_its_hull(flat: bool) -> None:
    """A ball of radius 30 mm, and a disc of it that lies in one plane, where there is no hull in 3D."""
    grid = lps_grid((64, 64, 64), (1.0, 1.0, 1.0))
    away = np.indices(grid.shape) - 31
    inside = (away**2).sum(axis=0) <= 30**2
    if flat:
        inside &= away[0] == away[1]
    assert diameter_3d_mm(inside, grid) == pytest.approx(60.0 if not flat else pdist(np.argwhere(inside)).max())


@pytest.mark.parametrize("pair", ["both", "one", "none"])
def test_masks_far_from_the_border_measure_as_in_their_own_box(pair: str) -> None:
    """Everything is worked out in the box of both masks: a large empty volume around them changes nothing."""
    random = np.random.default_rng(4)
    one, other = random.random((2, 9, 8, 6)) < 0.5
    one, other = (one if pair != "none" else one & False), (other if pair == "both" else other & False)
    large = [np.pad(mask, ((20, 30), (11, 5), (7, 9))) for mask in (one, other)]
    spacing = (0.7, 1.1, 3.0)
    found = agreement(*large, lps_grid(large[0].shape, spacing), 2)
    assert found == agreement(one, other, lps_grid(one.shape, spacing), 2)


def test_a_miss_is_below_three_tenths() -> None:
    assert [is_miss(value) for value in (0.0, 0.2999, 0.3, 1.0)] == [True, True, False, False]

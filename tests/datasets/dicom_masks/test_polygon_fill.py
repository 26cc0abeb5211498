"""Polygons are filled by the even-odd rule, centres on the outline included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from datasets.dicom_masks.polygon_fill import polygon_mask

SHAPE = (6, 8)

coordinates = st.one_of(st.integers(-2, 9).map(float), st.integers(-8, 36).map(lambda value: value / 4))
corners = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=12).map(np.array)


def belongs(centre: tuple[int, int], points: np.ndarray) -> bool:
    """Whether a centre is on an edge, or a ray from it crosses an odd number of edges; exact for quarters of pixels."""
    crossings = 0
    for one, other in zip(points, np.roll(points, -1, axis=0), strict=True):
        aside = (other - one)[0] * (centre - one)[1] - (other - one)[1] * (centre - one)[0]
        within = (np.minimum(one, other) <= centre).all() and (centre <= np.maximum(one, other)).all()
        if aside == 0 and within:
            return True
        if (one[0] <= centre[0]) != (other[0] <= centre[0]):
            crossings += (aside > 0) == (other[0] > one[0])
    return crossings % 2 == 1


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(corners)
def test_any_polygon_is_filled_by_the_rule(points: np.ndarray) -> None:
    """Corners and edges fall on pixel centres, edges cross or lie on each other, polygons leave the picture."""
    expected = [[belongs((row, column), points) for column in range(SHAPE[1])] for row in range(SHAPE[0])]
    np.testing.assert_array_equal(polygon_mask(points, SHAPE), expected)


@pytest.mark.parametrize("seed", range(20))
def test_a_contour_of_many_points_is_filled_as_scikit_image_fills_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 700, endpoint=False)
    radius = 30 + sum(random.normal(scale=4) * np.cos(n * angle + random.uniform(0, 6)) for n in range(1, 6))
    points = np.column_stack([50 + radius * np.sin(angle), 40 + radius * np.cos(angle)])
    mask = polygon_mask(points, (100, 90))
    np.testing.assert_array_equal(mask, polygon2mask((100, 90), points))
    assert mask.sum() > 500


def test_a_square_through_pixel_centres_holds_its_edges() -> None:
    mask = polygon_mask(np.array([[2.0, 3.0], [2.0, 6.0], [5.0, 6.0], [5.0, 3.0]]), (8, 9))
    expected = np.zeros((8, 9), dtype=bool)
    expected[2:6, 3:7] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_polygon_beside_the_picture_fills_nothing() -> None:
    square = np.array([[0.0, 0.0], [0.0, 4.0], [4.0, 4.0], [4.0, 0.0]])
    for shift in ((-9, 0), (20, 0), (0, -9), (0, 20)):
        assert not polygon_mask(square + shift, SHAPE).any()
    assert polygon_mask(square - 100.0, SHAPE).shape == SHAPE
    np.testing.assert_array_equal(np.argwhere(polygon_mask(np.array([[3.0, 4.0]]), SHAPE)), [[3, 4]])

"""Points in millimetres become voxels, whole where they were whole."""

import numpy as np
import pytest

from datasets.errors import GeometryError, RejectedInput
from datasets.image.volume import Grid, Volume
from tests.training.support.synthetic import lps_grid
from training.segmenters.request_images import points_in, ras_images
from training.segmenters.segmenter import SegmentationRequest


def crooked(seed: int) -> Grid:
    """A grid turned any way, of odd spacings, far from the origin."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.standard_normal((3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn * random.uniform(0.3, 7.0, 3)
    affine[:3, 3] = random.uniform(-900, 900, 3)
    return Grid((200, 300, 50), affine)


@pytest.mark.parametrize("seed", range(10))
def test_whole_voxels_come_back_whole(seed: int) -> None:
    grid = crooked(seed)
    voxels = np.random.default_rng(seed).integers(0, grid.shape, (500, 3))
    points = [tuple(point) for point in grid.to_world(voxels)]
    np.testing.assert_array_equal(points_in(points, grid), voxels)  # type: ignore[arg-type]


def test_between_voxels_they_stay_between() -> None:
    grid = lps_grid((10, 10, 10), (1.0, 2.0, 3.0))
    found = points_in([(-2.25, -3.0, 9.3)], grid)
    np.testing.assert_allclose(found, [[2.25, 1.5, 3.1]], atol=1e-6)


def test_the_outer_half_of_a_border_voxel_is_inside() -> None:
    grid = lps_grid((10, 10, 10), (1.0, 1.0, 1.0))
    np.testing.assert_array_equal(points_in([(0.5, -9.5, 4.0)], grid), [[0, 9, 4]])
    with pytest.raises(RejectedInput, match="prompt-outside"):
        points_in([(0.51, -5.0, 4.0)], grid)


def test_no_points() -> None:
    assert points_in([], lps_grid((4, 4, 4), (1, 1, 1))).shape == (0, 3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("signs", [(1, 1, 1), (1, -1, 1), (-1, 1, 1), (1, 1, -1)])
def test_a_point_at_the_end_of_the_number_range_is_outside(seed: int, signs: tuple[int, ...]) -> None:
    point = tuple(1.7e308 * sign for sign in signs)
    with pytest.raises(RejectedInput, match="prompt-outside"):
        points_in([point], crooked(seed))  # type: ignore[list-item]


@pytest.mark.parametrize("point", [(np.nan, 0.0, 0.0), (0.0, np.inf, 0.0), (1.0, 2.0), ()])
def test_what_is_no_point_is_refused(point: tuple[float, ...]) -> None:
    with pytest.raises(RejectedInput, match="prompt-not-finite"):
        points_in([point], lps_grid((4, 4, 4), (1, 1, 1)))  # type: ignore[list-item]


def test_images_come_in_the_order_asked_for_on_one_grid() -> None:
    grid, other = lps_grid((4, 5, 6), (1, 1, 1)), lps_grid((4, 5, 6), (1, 1, 2))
    ones, twos = (Volume(np.full((4, 5, 6), value), grid) for value in (1, 2))
    request = SegmentationRequest({"ct": ones, "pet": twos, "t1": Volume(np.zeros((4, 5, 6)), other)}, "ct")
    images, found = ras_images(request, ["pet", "ct"])
    assert [int(image.max()) for image in images] == [2, 1]
    assert (np.diag(found.affine)[:3] > 0).all()
    with pytest.raises(RejectedInput, match="sequence-missing"):
        ras_images(request, ["ct", "t2"])
    with pytest.raises(GeometryError, match="grid-mismatch"):
        ras_images(request, ["ct", "t1"])

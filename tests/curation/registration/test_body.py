"""The body is segmented from air, whatever the contrast; dark bone and cortex inside it belong to it."""

import numpy as np
import pytest

from curation.registration.body import body_mask
from curation.registration.search_images import SearchImages, search_image
from curation.registration.source_image import SourceImage
from datasets.image.volume import Grid, Volume
from tests.curation.registration.test_register import pair

GRID = Grid((60, 60, 12), np.diag([-3.0, -3.0, 5.0, 1.0]))


def limb(*, inside: float, cortex: float, noise: float = 10.0) -> tuple[Volume, np.ndarray]:
    x, y, _ = np.meshgrid(*[np.arange(size) for size in GRID.shape], indexing="ij")
    radius = np.hypot((x - 30) * 3.0, (y - 28) * 3.0)
    body = radius < 60
    values = np.where(body, inside, 0.0) + np.where(body & (radius > 50), 3 * inside, 0.0)
    values[radius < 9] = cortex
    values += np.abs(np.random.default_rng(1).normal(scale=noise, size=GRID.shape))
    return Volume(values.astype(np.float32), GRID), body


@pytest.mark.parametrize(("inside", "cortex"), [(200.0, 0.0), (80.0, 0.0), (200.0, 900.0)])
def test_the_limb_is_found_with_its_bone(inside: float, cortex: float) -> None:
    volume, body = limb(inside=inside, cortex=cortex)
    found = body_mask(volume)
    assert 2 * (found & body).sum() / (found.sum() + body.sum()) > 0.95
    assert found[30, 28].all()


def test_where_nothing_stands_out_everything_is_body() -> None:
    assert body_mask(Volume(np.full(GRID.shape, 7.0, dtype=np.float32), GRID)).all()


def test_levels_are_no_finer_than_asked_for_and_cover_the_same_place() -> None:
    t1, t2 = pair()
    image = search_image(t2, spacing_mm=4.0)
    assert min(image.grid.spacing) >= 3.8
    ends = (np.array([-0.5, -0.5, -0.5]), np.array(t2.grid.shape) - 0.5, np.array(image.grid.shape) - 0.5)
    np.testing.assert_allclose(image.grid.to_world(ends[0]), t2.grid.to_world(ends[0]), atol=1e-6)
    np.testing.assert_allclose(image.grid.to_world(ends[2]), t2.grid.to_world(ends[1]), atol=1e-6)
    images = SearchImages(SourceImage(t1), SourceImage(t2))
    assert images.at(4.0)[1] is images.at(4.0)[1]
    shifted = np.eye(4)
    shifted[:3, 3] = (3.0, 4.0, 0.0)
    assert images.distance_mm(shifted, np.eye(4)) == pytest.approx(5.0)

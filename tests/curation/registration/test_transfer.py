"""The chain between a patient's series: masks travel from any one to any other, through the case, and back."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from curation.registration.deformation import Deformation, read_deformation, write_deformation
from curation.registration.motion_search import RegistrationSettings, SearchLevel
from curation.registration.register import DEFORMATION_FILE, place_series, placement_of
from curation.registration.source_image import SourceImage
from curation.registration.transfer import CASE, Placement, transfer_mask
from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from tests.curation.registration.test_register import (
    T1_GRID,
    T2_GRID,
    centred,
    dice,
    elsewhere,
    painted,
    pair,
    registered,
    tumour,
    turned,
)

QUICK = RegistrationSettings(levels=(SearchLevel(5.0, 60), SearchLevel(2.5, 40)), affine_levels=())
CORONAL = centred((70, 18, 60), np.array([[-2.2, 0, 0], [0, 0, -5.0], [0, 2.2, 0]])[:, [0, 2, 1]], middle=(0, 0, 0))


def ball(grid: Grid, *, radius_mm: float = 30.0, centre: tuple[float, float, float] = (5.0, -8.0, 3.0)) -> Mask:
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    return Mask((np.linalg.norm(points - centre, axis=-1) <= radius_mm).astype(np.uint8), grid)


def moved_ball(grid: Grid, motion: np.ndarray) -> Mask:
    return Mask(ball(Grid(grid.shape, np.linalg.inv(motion) @ grid.affine)).data, grid)


def test_a_mask_goes_from_series_to_series_through_the_case_and_back() -> None:
    one, other = turned((4, -3, 8), (6, 5, -7)), turned((-2, 5, -6), (-9, 3, 4))
    t1, third = Placement(one), Placement(other)
    drawn = moved_ball(T1_GRID, one)
    there = transfer_mask(drawn, source=t1, target=third, grid=CORONAL)
    assert dice(there.foreground, moved_ball(CORONAL, other).foreground) > 0.96
    back = transfer_mask(there, source=third, target=t1, grid=T1_GRID)
    assert dice(back.foreground, drawn.foreground) > 0.93
    on_case = transfer_mask(drawn, source=t1, target=CASE, grid=T2_GRID)
    assert dice(on_case.foreground, ball(T2_GRID).foreground) > 0.96


@pytest.mark.slow
def test_a_tumour_drawn_on_t1_is_found_on_a_third_series() -> None:
    """Two registrations with T2, none between the two series that the mask travels between."""
    motion = turned((0, 2, 6), (5, -4, 3))
    t1, t2 = pair()
    first = registered(elsewhere(t1, motion), t2, settings=QUICK)
    third_motion = turned((3, 0, -4), (-6, 2, 4))
    placed, quality = place_series(painted(CORONAL, "t1", motion=third_motion), SourceImage(t2), settings=QUICK)
    assert quality.verdict != "reject"
    drawn = Mask(tumour(T1_GRID).astype(np.uint8), Grid(T1_GRID.shape, motion @ T1_GRID.affine))
    found = transfer_mask(drawn, source=first.placement, target=placed, grid=CORONAL).foreground
    truth = tumour(Grid(CORONAL.shape, np.linalg.inv(third_motion) @ CORONAL.affine))
    assert dice(found, truth) > 0.85
    assert dice(transfer_mask(drawn, source=CASE, target=CASE, grid=CORONAL).foreground, truth) < 0.75


def waved() -> Deformation:
    """A limb bent to and fro: slices shifted by up to 6 mm along x, and the way back, which is exact."""
    grid = centred((40, 40, 30), np.diag([-4.0, -4.0, 4.0]), middle=(0, 0, 0))
    z = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))[..., 2]
    field = np.zeros((*grid.shape, 3), dtype=np.float32)
    field[..., 0] = 6.0 * np.cos(z / 15.0)
    return Deformation(grid, field, -field)


def test_a_deformation_carries_there_and_back() -> None:
    placed = Placement(turned((3, 2, 9), (4, -6, 5)), waved())
    points = np.random.default_rng(3).uniform(-50, 50, (500, 3))
    assert np.abs(placed.to_case(placed.from_case(points)) - points).max() < 0.05
    assert waved().smallest_volume_change > 0.9
    case = ball(T2_GRID)
    there = transfer_mask(case, source=CASE, target=placed, grid=T1_GRID)
    corners = T1_GRID.to_world(np.argwhere(there.foreground))
    distances = np.linalg.norm(placed.to_case(corners) - (5.0, -8.0, 3.0), axis=1)
    assert distances.max() < 30.0 + 4.0
    assert dice(transfer_mask(there, source=placed, target=CASE, grid=T2_GRID).foreground, case.foreground) > 0.93


@pytest.mark.slow
def test_a_deformation_is_found_kept_and_read_again(tmp_path: Path) -> None:
    """Asked for, SyN brings a limb that was bent closer than any affine motion, and says the same twice."""
    t1, t2 = pair()
    bend = waved()
    points = T1_GRID.to_world(np.moveaxis(np.indices(T1_GRID.shape), 0, -1)).reshape(-1, 3)
    values = map_coordinates(np.asarray(t1.data), T1_GRID.to_voxel(bend.apply(points)).T, order=1, mode="nearest")
    bent = type(t1)(values.reshape(T1_GRID.shape).astype(np.float32), T1_GRID)
    settings = RegistrationSettings(
        levels=(SearchLevel(5.0, 60), SearchLevel(2.5, 40)), affine_levels=(), motion="deformable"
    )
    found = registered(bent, t2, settings=settings)
    assert found.deformation is not None
    limb = ball(T2_GRID, radius_mm=40.0, centre=(0, 0, 0))
    points = T2_GRID.to_world(np.argwhere(limb.foreground)[::7])
    without, with_it = (
        np.linalg.norm(bend.apply(place.from_case(points)) - points, axis=1).mean()
        for place in (Placement(found.transform), found.placement)
    )
    assert with_it < 0.8 * without
    again = registered(bent, t2, settings=settings)
    np.testing.assert_array_equal(again.deformation.forward, found.deformation.forward)
    assert found.deformation.smallest_volume_change > 0
    record = found.as_record()
    write_deformation(tmp_path / DEFORMATION_FILE, found.deformation)
    stored = placement_of(record, folder=tmp_path)
    np.testing.assert_allclose(stored.deformation.forward, found.deformation.forward)
    (tmp_path / DEFORMATION_FILE).write_bytes(b"something else")
    with pytest.raises(RejectedInput) as caught:
        placement_of(record, folder=tmp_path)
    assert caught.value.code == "deformation-changed"
    with pytest.raises(RejectedInput) as caught:
        read_deformation(tmp_path / DEFORMATION_FILE)
    assert caught.value.code == "deformation-unreadable"

"""CT and PET are registered as MR is: compared by what their intensities mean, whichever of the two is drawn on."""

import numpy as np
import pytest

from curation.registration.register import register
from curation.registration.source_image import SourceImage
from datasets.errors import RejectedInput
from datasets.image.volume import Grid, Volume
from datasets.phantom.anatomy import TissueType, draw_anatomy
from datasets.study.protocol import PlacedBy
from tests.curation.registration.test_register import QUICK, T1_GRID, T2_GRID, elsewhere, errors_mm, painted, turned

HU = {"fat": -100.0, "muscle": 50.0, "cortex": 900.0, "marrow": 200.0, "vessel": 60.0}
SUV = {"fat": 0.3, "muscle": 0.8, "cortex": 0.5, "marrow": 1.2, "vessel": 1.5}
TRUTH = turned((2.0, -1.0, 6.0), (5.0, -4.0, 4.0))


def _image(grid: Grid, tissue: dict[str, float], *, air: float, tumour: float, noise: float) -> Volume:
    anatomy = draw_anatomy(TissueType.MYXOID, np.random.default_rng(12))
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    values = anatomy.painted(points, tissue, np.zeros(grid.shape), np.full(grid.shape, tumour), air=air)
    return Volume((values + np.random.default_rng(3).normal(0.0, noise, grid.shape)).astype(np.float32), grid)


def _ct(grid: Grid) -> SourceImage:
    volume = _image(grid, HU, air=-1000.0, tumour=35.0, noise=15.0)
    return SourceImage(volume, role="ct", title="CT", modality="CT")


def _pet(grid: Grid) -> SourceImage:
    volume = _image(grid, SUV, air=0.0, tumour=25.0, noise=0.03)
    return SourceImage(volume, role="pet", title="PET", modality="PT")


def _mr(grid: Grid) -> SourceImage:
    return SourceImage(painted(grid, "t1"), role="t1", title="T1")


def _moved(image: SourceImage) -> SourceImage:
    return SourceImage(elsewhere(image.volume, TRUTH), role=image.role, title=image.title, modality=image.modality)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moving", "fixed", "most_mm"),
    [
        (_ct(T1_GRID), _mr(T2_GRID), 1.5),
        (_mr(T1_GRID), _ct(T2_GRID), 1.5),
        (_mr(T1_GRID), _pet(T2_GRID), 2.5),
    ],
    ids=["CT onto MR", "MR onto CT", "MR onto a PET that is drawn on"],
)
def test_images_of_other_machines_find_each_other(moving: SourceImage, fixed: SourceImage, most_mm: float) -> None:
    found = register(_moved(moving), fixed, settings=QUICK)
    assert errors_mm(found.transform, TRUTH).mean() < most_mm
    assert found.quality.verdict.value in ("accept", "look")
    assert float(found.moved.data.min()) >= float(moving.volume.data.min()) - 30.0


def test_a_ct_is_compared_between_fat_and_bone_and_a_pet_up_to_three() -> None:
    """Whatever else is in them: a metal implant of 3000 HU, a tumour of 25 SUV."""
    assert (_ct(T2_GRID).clipped.min(), _ct(T2_GRID).clipped.max()) == (-200.0, 300.0)
    assert _pet(T2_GRID).clipped.max() == 3.0
    assert (_ct(T2_GRID).outside, _pet(T2_GRID).outside, _mr(T2_GRID).outside) == (-1024.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [((0.0, 0.0, 0.0), "accept"), ((0.0, 0.0, 45.0), "look"), ((25.0, 25.0, 0.0), "look"), ((0.0, -60.0, 0.0), "look")],
)
def test_a_pet_that_its_headers_place_elsewhere_is_doubted(shift: tuple[float, float, float], verdict: str) -> None:
    affine = T1_GRID.affine.copy()
    affine[:3, 3] += shift
    pet = SourceImage(Volume(_pet(T1_GRID).volume.data, Grid(T1_GRID.shape, affine)), title="PET", modality="PT")
    found = register(pet, _ct(T2_GRID), placed_by=PlacedBy.HEADERS)
    (check,) = [one for one in found.quality.checks if one.code == "edges-elsewhere"]
    assert check.verdict.value == verdict, check.value


def test_a_sheared_ct_is_named() -> None:
    sheared = Grid(T1_GRID.shape, T1_GRID.affine @ (np.eye(4) + 0.2 * np.eye(4)[:, [1, 0, 2, 3]] * [0, 1, 0, 0]))
    tilted = SourceImage(Volume(_ct(T1_GRID).volume.data, sheared), role="ct", title="CT", modality="CT")
    with pytest.raises(RejectedInput) as caught:
        register(tilted, _mr(T2_GRID), settings=QUICK)
    assert caught.value.code == "grid-sheared"
    assert "CT" in caught.value.message
    assert "gantry tilt" in caught.value.remedy

"""Numbers of a mask, worked out by hand."""

import math

import numpy as np
import pytest
from django.test import Client

from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.viewing.diameters import longest_diameters
from annotation_backend.review.viewing.figures import figures_of
from annotation_backend.review.viewing.oddities import holes, jumps
from datasets.image.volume import Grid
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import saved

pytestmark = pytest.mark.django_db

GRID = Grid((12, 10, 4), np.diag([0.5, 2.0, 3.0, 1.0]))


def _box(*bounds: tuple[int, int]) -> np.ndarray:
    inside = np.zeros(GRID.shape, dtype=bool)
    inside[tuple(slice(low, high) for low, high in bounds)] = True
    return inside


def test_the_numbers_of_a_mask_of_one_slice(mask: CaseMask) -> None:
    """`drawn` is 5 x 9 pixels of 1 mm on slice 2 of slices 4 mm thick: 45 mm2, 0.18 ml; its diagonal spans 8 and 4."""
    found = figures_of(mask)
    assert found["volumes"][0] == {"name": "Tumour", "ml": 0.18}
    assert found["areas"] == [0, 0, 45, 0, 0]
    assert found["diameters"]["long_mm"] == round(math.hypot(8, 4), 1)
    assert {end[2] for end in found["diameters"]["long"]} == {2}
    assert (found["holes"], found["jumps"], found["change"]) == ([], [], None)


def test_the_largest_change_is_where_most_of_the_slice_differs(mask: CaseMask) -> None:
    task = LabelingTask.objects.get(slice_index=3)
    saved(task, identifier=8)
    now = assemble(mask.case)
    assert now is not None
    assert figures_of(now, mask)["change"] == {"slice": 3, "mm2": 45.0, "slices": [3]}
    assert figures_of(now, now)["change"] is None


def test_diameters_of_a_rectangle_on_an_uneven_grid() -> None:
    """9 x 4 voxels of 0.5 x 2 mm span 4 and 6 mm between centres; the diagonal has 7.2 mm, the larger slice counts."""
    found = longest_diameters(_box((1, 10), (2, 6), (1, 3)) | _box((1, 4), (2, 4), (0, 1)), GRID, 2)
    assert found is not None
    assert found.long_mm == pytest.approx(math.hypot(4, 6))
    assert {tuple(end[:2]) for end in found.long_ends} in ({(1, 2), (9, 5)}, {(9, 2), (1, 5)})
    along = np.subtract(*found.long_ends) * GRID.spacing
    across = np.subtract(*found.short_ends) * GRID.spacing
    assert abs(along @ across) <= 0.05 * found.long_mm * found.short_mm + 1e-9, "they stand across each other"
    assert longest_diameters(np.zeros(GRID.shape, dtype=bool), GRID, 2) is None


def test_a_single_voxel_has_no_length() -> None:
    found = longest_diameters(_box((3, 4), (3, 4), (1, 2)), GRID, 2)
    assert found is not None
    assert (found.long_mm, found.short_mm, found.long_ends) == (0.0, 0.0, ((3, 3, 1), (3, 3, 1)))


def test_holes_are_found_in_their_slice_the_largest_first_and_bays_are_none() -> None:
    inside = _box((1, 11), (1, 9), (1, 3))
    inside[3, 3, 1] = False
    inside[5:8, 4:6, 2] = False
    inside[1, 4, 1] = False  # a bay: open at the rim
    assert [hole[2] for hole in holes(inside, 2)] == [2, 1]
    assert holes(inside, 2)[1] == (3, 3, 1)


@pytest.mark.parametrize(
    ("areas", "found"),
    [
        ([], []),
        ([0, 0, 0], []),
        ([0, 20, 90, 100, 80, 15, 0], [1, 4]),
        ([0, 100, 0, 100, 0], [1, 2]),
        ([0, 3, 8, 60, 100, 60, 8, 3], [2, 5]),
        ([50, 60, 70, 60, 50], []),
    ],
)
def test_jumps_are_halvings_of_the_area_between_slices_that_matter(areas: list[float], found: list[int]) -> None:
    assert jumps(areas) == found


def test_an_address_that_names_no_version_compares_with_none(mask: CaseMask, radiologist: Client) -> None:
    for former in ("", "x", "99999999999999", "-1", str(mask.pk + 1)):
        answer = radiologist.get(page_at("review-figures", mask.pk), {"former": former})
        assert (answer.status_code, answer.json()["change"]) == (200, None)

"""Numbers of a mask, worked out by hand; what each measure is, `tests/training/measures` tests."""

import math

import numpy as np
import pytest
from django.test import Client

from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.viewing.figures import boxed, figures_of
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import saved
from training.measures.shape import shape_of

pytestmark = pytest.mark.django_db


def test_the_numbers_of_a_mask_of_one_slice(mask: CaseMask) -> None:
    """`drawn` is 5 x 9 pixels of 1 mm on slice 2 of slices 4 mm thick: 45 mm2, 0.18 ml; its diagonal spans 8 and 4."""
    found = figures_of(mask)
    assert found["volumes"][0] == {"name": "Tumour", "ml": 0.18}
    assert found["areas"] == [0, 0, 45, 0, 0]
    assert found["diameters"]["long"]["mm"] == round(math.hypot(8, 4), 1)
    assert {end[2] for end in found["diameters"]["long"]["ends"]} == {2}
    assert (found["findings"], found["change"]) == ([], None)


def test_the_largest_change_is_where_most_of_the_slice_differs(mask: CaseMask) -> None:
    task = LabelingTask.objects.get(slice_index=3)
    saved(task, identifier=8)
    now = assemble(mask.case)
    assert now is not None
    assert figures_of(now, mask)["change"] == {"slice": 3, "mm2": 45.0, "slices": [3]}
    assert figures_of(now, now)["change"] is None


def test_places_are_the_grids_though_only_the_box_is_measured(mask: CaseMask) -> None:
    """A gap on slice 3 between 2 and 4: its place lies where the whole mask has it."""
    saved(LabelingTask.objects.get(slice_index=4), identifier=9)
    now = assemble(mask.case)
    assert now is not None
    piece, gap = figures_of(now)["findings"]
    assert piece["slice"] == 4
    assert (gap["slice"], gap["voxel"][2], gap["words"]) == (3, 3, "Gap of 1: slice 3")


def test_the_box_gives_the_numbers_of_the_whole_grid() -> None:
    """On an uneven, turned grid, with a hole: lengths, areas and places shifted by the box's start."""
    affine = np.array([[0, 2.0, 0, -40], [-0.5, 0, 0, 12], [0, 0, 3.0, 7], [0, 0, 0, 1]])
    grid = Grid((20, 14, 9), affine)
    data = np.zeros(grid.shape, np.uint8)
    data[4:15, 3:11, 2:7] = 1
    data[8, 6, 4] = 0
    cut, whole = boxed(Mask(data, grid, {1: "Tumour"}), "Tumour", 2), shape_of(data > 0, grid, 2)
    assert cut.start == (4, 3, 2)
    assert cut.shape.volume_ml == pytest.approx(whole.volume_ml)
    assert cut.shape.areas_mm2 == whole.areas_mm2[2:7]
    assert cut.shape.diameters is not None
    assert whole.diameters is not None
    assert cut.shape.diameters.longest.length_mm == pytest.approx(whole.diameters.longest.length_mm)
    assert [np.add(one.voxel, cut.start).tolist() for one in cut.shape.findings] == [[8, 6, 4]]
    assert [list(one.voxel) for one in whole.findings] == [[8, 6, 4]]


def test_an_empty_label_has_no_numbers() -> None:
    grid = Grid((5, 5, 5), np.eye(4))
    found = boxed(Mask(np.zeros(grid.shape, np.uint8), grid, {1: "Tumour"}), "Tumour", 2)
    assert (found.shape.volume_ml, found.shape.diameters, found.shape.findings) == (0.0, None, ())


def test_an_address_that_names_no_version_compares_with_none(mask: CaseMask, radiologist: Client) -> None:
    for former in ("", "x", "99999999999999", "-1", str(mask.pk + 1)):
        answer = radiologist.get(page_at("review-figures", mask.pk), {"former": former})
        assert (answer.status_code, answer.json()["change"]) == (200, None)


def test_where_readers_differ_is_told_with_a_place(mask: CaseMask) -> None:
    """One reader drew slice 2, the other slices 2 and 4: the second slice is 45 voxels of 4 mm3."""
    saved(LabelingTask.objects.get(slice_index=4), identifier=9)
    other = assemble(mask.case)
    assert other is not None
    [told] = figures_of(mask, readers=[mask, other])["findings"]
    assert (told["slice"], told["voxel"][2], told["words"]) == (4, 4, "Readers differ, 180 mm³: slice 4")
    assert figures_of(mask, readers=[mask, mask])["findings"] == []

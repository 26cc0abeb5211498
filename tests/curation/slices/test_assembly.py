"""Drawn slices become a mask volume, each in its own place."""

import numpy as np
import pytest

from curation.slices.assembly import assemble_labels, assemble_mask
from datasets.errors import GeometryError, RejectedInput
from datasets.image.mask import OEDEMA, TUMOUR
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane

LABELS = {1: TUMOUR, 2: OEDEMA}
GRID = Grid((6, 7, 5), np.array([[0, -2.0, 0.1, 9], [0.9, 0, 0, -3], [0, 0.2, 4, 1], [0, 0, 0, 1.0]]))


@pytest.mark.parametrize("anatomical", AnatomicalPlane)
def test_a_mask_cut_into_pictures_is_assembled_again(anatomical: AnatomicalPlane) -> None:
    plane = PicturePlane.of(GRID, anatomical=anatomical)
    whole = np.random.default_rng(1).integers(0, 3, GRID.shape).astype(np.uint8)
    pictures = {index: plane.to_picture(whole, index) for index in range(plane.slice_count)}
    mask = assemble_mask(pictures, plane, GRID, labels=LABELS)
    np.testing.assert_array_equal(mask.data, whole)
    assert mask.grid is GRID
    assert mask.labels == LABELS


def test_slices_nobody_drew_on_are_background() -> None:
    plane = PicturePlane.of(GRID)
    drawn = np.zeros((plane.height, plane.width), dtype=bool)
    drawn[0, 1] = True
    mask = assemble_mask({3: drawn}, plane, GRID, labels={4: TUMOUR})
    assert np.count_nonzero(mask.data) == 1
    i, j, k = np.rint(plane.pixel_to_voxel((1.5, 0.5), index=3)).astype(int)
    assert mask.data[i, j, k] == 4
    assert not assemble_mask({}, plane, GRID).foreground.any()


@pytest.mark.parametrize(
    ("slices", "code"),
    [
        ({5: np.zeros((6, 7), dtype=bool)}, "slice-index"),
        ({-1: np.zeros((6, 7), dtype=bool)}, "slice-index"),
        ({0: np.zeros((7, 6), dtype=bool)}, "picture-size"),
        ({0: np.zeros((6, 7, 1), dtype=bool)}, "picture-size"),
        ({0: np.full((6, 7), 9, dtype=np.uint8)}, "slice-labels"),
        ({0: np.full((6, 7), 0.5)}, "slice-labels"),
    ],
)
def test_what_does_not_fit_is_refused(slices: dict[int, np.ndarray], code: str) -> None:
    plane = PicturePlane.of(GRID)
    assert (plane.height, plane.width, plane.slice_count) == (6, 7, 5)
    with pytest.raises(RejectedInput) as caught:
        assemble_mask(slices, plane, GRID)
    assert caught.value.code == code


def test_another_grid_and_an_unnamed_label_are_refused() -> None:
    plane = PicturePlane.of(GRID)
    with pytest.raises(GeometryError):
        assemble_mask({}, plane, Grid(GRID.shape, np.eye(4)))
    with pytest.raises(RejectedInput, match="which of 2 labels"):
        assemble_mask({0: np.zeros((6, 7), dtype=bool)}, plane, GRID, labels=LABELS)


def test_labels_that_meet_are_counted_and_the_first_one_counts() -> None:
    plane = PicturePlane.of(GRID)
    oedema, tumour, clip = (np.zeros(plane.shape, dtype=bool) for _ in range(3))
    oedema[0:4, 0:5], tumour[1:3, 1:3], clip[2:5, 2:4] = True, True, True
    drawn = {"Clip": clip, OEDEMA: oedema, TUMOUR: tumour, "Scar": tumour}
    made = assemble_labels([(3, drawn), (1, {OEDEMA: tumour})], plane, labels={9: TUMOUR, 4: "Clip", 2: OEDEMA})
    expected = np.zeros(plane.shape, np.uint8)
    expected[oedema], expected[clip], expected[tumour] = 2, 4, 9
    np.testing.assert_array_equal(plane.to_picture(made.mask.data, 3), expected)
    np.testing.assert_array_equal(plane.to_picture(made.mask.data, 1), tumour * np.uint8(2))
    assert made.covered == {(TUMOUR, "Clip"): 1, (TUMOUR, OEDEMA): 4, ("Clip", OEDEMA): 3}
    assert made.overlap == 7, "the pixel with three labels is one pixel"
    assert made.unknown == {"Scar": 4}
    assert made.mask.labels == {9: TUMOUR, 4: "Clip", 2: OEDEMA}
    assert not assemble_labels([], plane, labels=LABELS).mask.foreground.any()

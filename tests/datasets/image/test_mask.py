"""Masks: labels, foreground and volume."""

import numpy as np
import pytest

from datasets.errors import GeometryError
from datasets.image.mask import DEFAULT_LABELS, OEDEMA, TUMOUR, Mask
from datasets.image.volume import Grid


def _mask() -> Mask:
    data = np.zeros((4, 5, 6), np.uint8)
    data[1, 1, 1:4] = 1
    data[2, 2, 2] = 2
    return Mask(data, Grid(data.shape, np.diag([0.5, -2.0, 5.0, 1.0])), {1: TUMOUR, 2: OEDEMA})


def test_volume_counts_every_label_in_millilitres() -> None:
    """Four voxels of 0.5 x 2 x 5 mm; the affine's negative determinant does not make it negative."""
    assert _mask().volume_ml == pytest.approx(4 * 5.0 / 1000.0)


def test_labels_by_name() -> None:
    mask = _mask()
    assert np.argwhere(mask.label(TUMOUR)).tolist() == [[1, 1, 1], [1, 1, 2], [1, 1, 3]]
    assert np.argwhere(mask.label(OEDEMA)).tolist() == [[2, 2, 2]]
    assert not mask.label("Bone").any()
    assert mask.label("Bone").shape == mask.grid.shape
    assert np.array_equal(mask.foreground, mask.label(TUMOUR) | mask.label(OEDEMA))


def test_two_values_of_one_name_are_one_label() -> None:
    mask = _mask()
    assert np.array_equal(Mask(mask.data, mask.grid, {1: TUMOUR, 2: TUMOUR}).label(TUMOUR), mask.foreground)


def test_an_empty_mask_has_no_volume() -> None:
    assert Mask(np.zeros((2, 2, 2), np.uint8), Grid((2, 2, 2), np.eye(4))).volume_ml == 0.0


def test_the_default_labels_cannot_be_changed() -> None:
    mask = Mask(np.zeros((2, 2, 2), np.uint8), Grid((2, 2, 2), np.eye(4)))
    assert mask.labels == {1: TUMOUR}
    with pytest.raises(TypeError):
        DEFAULT_LABELS[2] = OEDEMA  # type: ignore[index]


def test_another_shape_is_refused() -> None:
    with pytest.raises(GeometryError, match="mask-shape"):
        Mask(np.zeros((2, 3, 2), np.uint8), Grid((2, 2, 3), np.eye(4)))

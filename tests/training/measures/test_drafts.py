"""What became of drafts, by hand."""

import numpy as np
import pytest

from datasets.errors import GeometryError
from training.measures.drafts import corrected_share, unchanged

TRUTH = np.zeros((6, 6, 4), dtype=bool)
TRUTH[1:5, 1:5, 0:3] = True
EMPTY = np.zeros_like(TRUTH)


def test_an_untouched_draft() -> None:
    found = unchanged(TRUTH, TRUTH.copy(), 2)
    assert (found.voxels, found.slices, found.is_whole) == (1.0, 1.0, True)
    nothing = unchanged(EMPTY, EMPTY, 2)
    assert (nothing.voxels, nothing.slices, nothing.is_whole) == (1.0, 1.0, True)


def test_one_slice_changed_and_one_added() -> None:
    """Of 48 voxels 4 are taken away and 2 drawn in a slice that was empty: 44 of 50 stay, 2 slices of 4."""
    final = TRUTH.copy()
    final[1, 1:5, 1] = False
    final[2, 2:4, 3] = True
    found = unchanged(TRUTH, final, 2)
    assert (found.voxels, found.slices, found.is_whole) == (44 / 50, 0.5, False)


def test_a_fault_half_corrected() -> None:
    draft = TRUTH.copy()
    draft[..., 1] = False
    region = draft != TRUTH
    final = draft.copy()
    final[1:3, 1:5, 1] = True
    final[0, 0, 0] = True  # elsewhere
    assert corrected_share(draft, region, final, TRUTH) == 0.5
    assert corrected_share(draft, region, TRUTH, TRUTH) == 1.0
    assert corrected_share(draft, region, draft, TRUTH) == 0.0


def test_nothing_was_wrong() -> None:
    assert corrected_share(TRUTH, TRUTH, EMPTY, TRUTH) is None


def test_shapes() -> None:
    with pytest.raises(GeometryError):
        unchanged(TRUTH, TRUTH[1:], 2)
    with pytest.raises(GeometryError):
        corrected_share(TRUTH, TRUTH, TRUTH, TRUTH[1:])

"""The smallest box that holds a mask, held against the indices of its voxels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from datasets.image.mask_box import mask_bounds, mask_box

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=3, max_side=6), elements=st.booleans())


@given(inside=MASKS)
def test_box_and_bounds_are_those_of_the_voxels(inside: np.ndarray) -> None:
    box, bounds = mask_box(inside), mask_bounds(inside)
    if not inside.any():
        assert box is None
        assert bounds is None
        return
    voxels = np.argwhere(inside)
    assert box == tuple(slice(low, high + 1) for low, high in zip(voxels.min(0), voxels.max(0), strict=True))
    np.testing.assert_array_equal(bounds, [voxels.min(0), voxels.max(0)])

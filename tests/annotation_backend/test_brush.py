"""The brush codec against the SDK's, and against codes that are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from label_studio_sdk.converter.brush import decode_rle

from annotation_backend.labeling import brush
from datasets.errors import RejectedInput


@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_a_mask_comes_back(mask: np.ndarray) -> None:
    height, width = mask.shape
    assert np.array_equal(brush.decode(brush.encode(mask), height=height, width=width), mask)


def test_the_sdk_reads_what_we_write_as_opaque_pixels() -> None:
    mask = np.eye(16, dtype=bool)
    values = decode_rle(brush.encode(mask)).reshape(16, 16, 4)
    assert np.array_equal(values[..., 3], mask * 255)


def test_half_transparent_stroke_borders_are_outside() -> None:
    from label_studio_sdk.converter.brush import encode_rle

    alpha = np.array([[0, 1, 127, 128, 255]], dtype=np.uint8)
    rgba = np.repeat(alpha.ravel(), 4)
    assert brush.decode(encode_rle(rgba), height=1, width=5).tolist() == [[False, False, False, True, True]]


@pytest.mark.parametrize(
    "code",
    [
        [],
        [0, 0, 0, 4, 57],
        [255] * 40,
        [0, 0, 4, 0, 57, 27, 999],
        ["a"] * 12,
        brush.encode(np.ones((16, 16), bool))[:-4],
        brush.encode(np.ones((8, 8), bool)),
    ],
)
def test_what_is_no_code_of_this_picture_is_refused(code: list[int]) -> None:
    with pytest.raises(RejectedInput, match=r"\[brush-code\]"):
        brush.decode(code, height=16, width=16)

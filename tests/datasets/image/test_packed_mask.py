"""Masks as a few hundred bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.errors import RejectedInput
from datasets.image.packed_mask import packed, unpacked


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_mask_comes_back_as_it_was(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) > 0.5
    found = unpacked(packed(mask), (height, width))
    assert found.dtype == bool
    assert np.array_equal(found, mask)


def test_a_round_mask_of_512_takes_less_than_4_kilobytes() -> None:
    rows, columns = np.mgrid[:512, :512]
    assert len(packed((rows - 250) ** 2 + (columns - 260) ** 2 < 120**2)) < 4096


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", packed(np.ones((9, 9), bool)), packed(np.ones((2000, 2000), bool))]
)
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(RejectedInput) as refused:
        unpacked(content, (8, 8))
    assert refused.value.code == "packed-mask"

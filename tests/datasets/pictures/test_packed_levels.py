"""Shares between 0 and 1 as some kilobytes, in steps of 1/255."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.errors import RejectedInput
from datasets.pictures.packed_levels import levels_of, packed_levels, unpacked_levels


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_shares_come_back_to_half_a_step(height: int, width: int, seed: int) -> None:
    shares = np.random.default_rng(seed).random((height, width), np.float32)
    found = unpacked_levels(packed_levels(levels_of(shares)), (height, width)) / 255
    kept = shares >= 0.05
    assert np.abs(found - shares)[kept].max(initial=0) <= 0.5 / 255 + 1e-6
    assert not found[~kept].any()


def test_what_is_no_share_becomes_one() -> None:
    shares = np.array([[np.nan, -1.0, np.inf, -np.inf, 1.5, 1.0, 0.5]])
    assert levels_of(shares).tolist() == [[0, 0, 255, 0, 255, 255, 128]]


def test_the_rim_of_a_tumour_of_512_takes_less_than_16_kilobytes() -> None:
    rows, columns = np.mgrid[:512, :512]
    distance = np.abs(np.hypot(rows - 250, columns - 260) - 120)
    rim = np.clip(1.0 - distance / 6.0, 0.0, 1.0) + np.random.default_rng(0).random((512, 512)) * 0.04
    assert len(packed_levels(levels_of(rim * (rim > 0.04)))) < 16384


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", packed_levels(np.ones((9, 9), np.uint8)), packed_levels(np.ones((999, 999), np.uint8))],
)
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(RejectedInput) as refused:
        unpacked_levels(content, (8, 8))
    assert refused.value.code == "packed-levels"

"""Frames that every reader unpacks alike: a reader that guesses from the number of bytes guesses right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.release.exports.dicom.segment_frames import slices_with_frames


def _guessed(packed: bytes, frames: int, pixels: int) -> list[np.ndarray] | None:
    """Frames as @cornerstonejs/adapters 5.14 unpacks them by the number of bytes; None where it refuses."""
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    from_a_byte = -(-pixels // 8)
    if len(packed) == frames * from_a_byte:
        return [bits[number * from_a_byte * 8 :][:pixels] for number in range(frames)]
    if len(packed) == -(-frames * pixels // 8):
        return [bits[number * pixels :][:pixels] for number in range(frames)]
    return None


@given(
    st.integers(1, 40).flatmap(
        lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1), min_size=1, max_size=count))
    ),
    st.integers(1, 400),
    st.integers(1, 3),
)
def test_what_is_said_to_be_read_one_way_is(slices: tuple[int, set[int]], pixels: int, segments: int) -> None:
    count, held = slices
    chosen, is_read_one_way = slices_with_frames(sorted(held), count, pixels=pixels, segments=segments)
    assert held <= set(chosen) <= set(range(count))
    assert chosen == sorted(chosen)
    if not is_read_one_way:
        assert set(chosen) == held
        return
    frames = len(chosen) * segments
    rng = np.random.default_rng(pixels)
    written = [rng.integers(0, 2, pixels).astype(np.uint8) for _ in range(frames)]
    packed = np.packbits(np.concatenate(written), bitorder="little").tobytes()
    found = _guessed(packed + b"\0" * (len(packed) % 2), frames, pixels)
    assert found is not None
    assert all(np.array_equal(one, other) for one, other in zip(found, written, strict=True))


@pytest.mark.parametrize("pixels", range(1, 200))
def test_a_series_of_twenty_slices_always_has_enough(pixels: int) -> None:
    assert slices_with_frames([9, 10], 20, pixels=pixels, segments=1)[1]


def test_no_more_frames_than_needed_and_those_beside_the_mask() -> None:
    assert slices_with_frames([4, 5], 10, pixels=16, segments=1) == ([4, 5], True)
    assert slices_with_frames([4], 10, pixels=8, segments=1) == ([3, 4], True)
    assert slices_with_frames([0], 1, pixels=8, segments=1) == ([0], False)

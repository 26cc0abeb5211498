"""PNG files are read by others as they were meant."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from datasets.pictures.png_encoding import encode_png

sizes = st.integers(1, 20)
shapes = st.one_of(st.tuples(sizes, sizes), st.tuples(sizes, sizes, st.just(3)))


@settings(deadline=None)
@given(arrays(np.uint8, shapes))
def test_another_reader_sees_the_same_pixels(picture: np.ndarray) -> None:
    image = Image.open(io.BytesIO(encode_png(picture)))
    image.verify()
    image = Image.open(io.BytesIO(encode_png(picture)))
    assert image.mode == ("L" if picture.ndim == 2 else "RGB")
    assert image.info == {}
    np.testing.assert_array_equal(np.asarray(image), picture)


@pytest.mark.parametrize("turned", [np.s_[::-1, :], np.s_[:, ::2]])
def test_the_order_in_memory_changes_nothing(turned: tuple[slice, slice]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (31, 40)).astype(np.uint8)[turned]
    assert encode_png(picture) == encode_png(picture.copy()) == encode_png(np.asfortranarray(picture))

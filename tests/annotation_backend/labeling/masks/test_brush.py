"""The brush codec against the SDK's, against the editor's own form of the code, and against codes that are none."""

import json
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from label_studio_sdk.converter.brush import contour2rle, decode_rle, encode_rle, mask2rle

from annotation_backend.labeling.masks import brush
from datasets.errors import RejectedInput
from tests.annotation_backend.labeling.masks.rle_pack import as_bytes, header, packed, tokens

SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))
SHADES = arrays.arrays(np.uint8, SIDES, elements=st.sampled_from([0, 0, 0, 1, 127, 128, 255, 255]))
RUN_LENGTHS = (1, 2, 3, 4, 5, 16, 17, 64, 65, 2**14, 2**14 + 1, 2**15, 2**15 + 1, 3 * 2**14)
"""In pixels; four values each: around every size's longest run, and where a run is split at 65 536 values."""


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    """Compiling takes longer than hypothesis grants an example."""
    brush.prepare()


def _rgba(alpha: np.ndarray) -> np.ndarray:
    """Flattened RGBA whose colours differ from alpha and from each other."""
    random = np.random.default_rng(int(alpha.sum()))
    picture = random.integers(0, 3, (*alpha.shape, 4), dtype=np.uint8)
    picture[..., 3] = alpha
    return picture.ravel()


@given(arrays.arrays(bool, SIDES))
def test_a_mask_comes_back(mask: np.ndarray) -> None:
    height, width = mask.shape
    assert np.array_equal(brush.decode(brush.encode(mask), height=height, width=width), mask)


@given(SHADES)
@example(np.zeros((1, 1), np.uint8))
@example(np.full((512, 512), 255, np.uint8))
def test_the_bytes_are_the_sdks(alpha: np.ndarray) -> None:
    assert brush.encode_alpha(alpha) == mask2rle(alpha)


@pytest.mark.parametrize("pixels", RUN_LENGTHS)
def test_runs_of_every_size_have_the_sdks_bytes(pixels: int) -> None:
    alpha = np.repeat(np.array([0, 255, 7], np.uint8), [3, pixels, 2])[np.newaxis]
    code = brush.encode_alpha(alpha)
    assert code == mask2rle(alpha)
    assert np.array_equal(brush.decode_alpha(code, height=1, width=pixels + 5), alpha)


def test_masks_in_any_memory_order_are_encoded_as_they_look() -> None:
    mask = np.random.default_rng(0).random((12, 20)) > 0.5
    for view in (np.asfortranarray(mask), mask[::-1, ::-1], mask.T, mask[::2, 1::3]):
        assert brush.encode(view) == brush.encode(view.copy())
        assert np.array_equal(brush.decode(brush.encode(view), height=view.shape[0], width=view.shape[1]), view)


@pytest.mark.slow
@given(SHADES)
def test_what_the_sdk_writes_of_a_whole_picture_is_read_like_the_sdk_does(alpha: np.ndarray) -> None:
    code = encode_rle(_rgba(alpha).astype(int))
    height, width = alpha.shape
    expected = decode_rle(code).reshape(height, width, 4)[..., 3]
    assert np.array_equal(brush.decode_alpha(code, height=height, width=width), expected)
    assert np.array_equal(expected, alpha)


def test_what_the_sdk_makes_of_a_contour_is_read_like_the_sdk_does() -> None:
    contour = np.array([[[3, 2]], [[3, 11]], [[14, 11]], [[14, 2]]], np.int32)
    code = contour2rle([contour], 0, 16, 20)
    expected = decode_rle(code).reshape(16, 20, 4)[..., 3]
    assert expected.max() == 100  # faint throughout: what there is was meant
    assert np.array_equal(brush.decode_alpha(code, height=16, width=20), expected)
    assert np.array_equal(brush.decode(code, height=16, width=20), expected == 100)


@pytest.mark.parametrize("alpha", [1, 2, 100, 127, 128, 255])
def test_a_mask_of_one_alpha_throughout_is_drawn_however_faint(alpha: int) -> None:
    drawn = np.zeros((16, 20), np.uint8)
    drawn[3:9, 4:11] = alpha
    assert np.array_equal(brush.decode(mask2rle(drawn), height=16, width=20), drawn > 0)


def test_several_faint_alphas_without_one_above_the_threshold_are_refused_and_named() -> None:
    remains = np.zeros((16, 20), np.uint8)
    remains[3, 4:11] = np.arange(20, 90, 10)
    with pytest.raises(RejectedInput, match=r"from 20 to 80\..*region-faint"):
        brush.decode(mask2rle(remains), height=16, width=20)


def test_the_soft_edges_of_a_stroke_are_outside() -> None:
    stroke = np.zeros((16, 20), np.uint8)
    stroke[3:9, 4:11] = 255
    stroke[2, 4:11], stroke[9, 4:11] = 100, 1
    assert np.array_equal(brush.decode(mask2rle(stroke), height=16, width=20), stroke == 255)


@pytest.mark.slow
@given(SHADES)
def test_literal_runs_of_the_editor_are_read(alpha: np.ndarray) -> None:
    code, (height, width) = packed(_rgba(alpha)), alpha.shape
    assert np.array_equal(decode_rle(code).reshape(height, width, 4)[..., 3], alpha)
    assert np.array_equal(brush.decode_alpha(code, height=height, width=width), alpha)


GOLDEN = json.loads((Path(__file__).parent / "golden" / "rle_pack.json").read_bytes())


@pytest.mark.parametrize("name", GOLDEN)
def test_what_the_editors_own_encoder_wrote_is_read(name: str) -> None:
    known = GOLDEN[name]
    alpha = brush.decode_alpha(known["code"], height=known["height"], width=known["width"])
    assert alpha.ravel().tolist() == known["alpha"]


@pytest.mark.parametrize("pixels", RUN_LENGTHS[:11])
def test_literal_runs_of_every_size_are_read(pixels: int) -> None:
    """No two neighbours are alike, so that the whole picture is one literal run, in pieces of at most 65 536."""
    alpha = (np.arange(pixels) * 7 % 251).astype(np.uint8)[np.newaxis]
    values = np.stack([alpha ^ 1, alpha ^ 2, alpha ^ 4, alpha], axis=-1).ravel()
    assert np.array_equal(brush.decode_alpha(packed(values), height=1, width=pixels), alpha)


@given(SHADES, st.lists(st.integers(1, 16), min_size=4, max_size=4))
def test_other_sizes_of_run_lengths_are_read(alpha: np.ndarray, sizes: list[int]) -> None:
    code, (height, width) = packed(_rgba(alpha), sizes), alpha.shape
    assert np.array_equal(brush.decode_alpha(code, height=height, width=width), alpha)


def test_half_transparent_stroke_borders_are_outside() -> None:
    alpha = np.array([[0, 1, 127, 128, 255]], dtype=np.uint8)
    code = brush.encode_alpha(alpha)
    assert brush.decode(code, height=1, width=5).tolist() == [[False, False, False, True, True]]


def _code_with(**changes: int) -> list[int]:
    code = brush.encode(np.eye(16, dtype=bool))
    for place, value in changes.items():
        code[int(place[1:])] = value
    return code


NO_CODES = {
    "empty": [],
    "header only in part": [0, 0, 0, 4, 57],
    "header alone": [0, 0, 4, 0, 57, 27, 248],
    "ones": [255] * 40,
    "zeros": [0] * 40,
    "above a byte": _code_with(_9=256),
    "below a byte": _code_with(_9=-1),
    "huge": _code_with(_9=10**400),
    "text": ["a"] * 12,
    "one text": "AAQAORv4",
    "booleans": [True] * 40,
    "one boolean": [*_code_with()[:-1], False],
    "floats": [float(byte) for byte in _code_with()],
    "one float": [*_code_with()[:-1], 0.0],
    "none": None,
    "nested": [[0]] * 20,
    "mapping": {0: 1},
    "cut": brush.encode(np.ones((16, 16), bool))[:-4],
    "of another size": brush.encode(np.ones((8, 8), bool)),
    "length lie 2^32": _code_with(_0=255, _1=255, _2=255, _3=255),
    "length lie by one": _code_with(_3=1),
    "words of 1 bit": _code_with(_4=1),
    "words of 16 bits": _code_with(_4=121),
    "run beyond the end": as_bytes(header(1024) + "1111111111111111111" + "11111111"),
    "literals beyond the end": as_bytes(header(1024) + "".join(tokens([(False, [1, 2] * 513)]))),
    "shortest runs, then nothing": as_bytes(header(1024) + "1" + "00" + "000" + "00000000"),
}


@pytest.mark.parametrize("name", NO_CODES)
def test_what_is_no_code_of_this_picture_is_refused(name: str) -> None:
    with pytest.raises(RejectedInput, match=r"\[brush-code\]"):
        brush.decode(NO_CODES[name], height=16, width=16)


def test_a_lie_about_the_length_takes_no_memory() -> None:
    brush.prepare()
    tracemalloc.start()
    for name in ("length lie 2^32", "ones", "words of 16 bits"):
        with pytest.raises(RejectedInput, match="brush-code"):
            brush.decode(NO_CODES[name], height=16, width=16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5,), (2, 5, 4)])
def test_what_is_no_picture_is_not_encoded(shape: tuple[int, ...]) -> None:
    with pytest.raises(RejectedInput, match="mask-shape"):
        brush.encode(np.zeros(shape, bool))


def _decoded_or_refused(code: list[int]) -> np.ndarray | None:
    with suppress(RejectedInput):
        return brush.decode(code, height=16, width=16)
    return None


@settings(max_examples=300)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_mask_or_refused_and_never_more(tail: bytes, is_headed: bool) -> None:
    head = bytes([0, 0, 4, 0, 57, 27, 248]) if is_headed else b""
    code = list(head + tail)
    mask = _decoded_or_refused(code)
    if mask is not None:
        assert np.array_equal(mask, decode_rle(code).reshape(16, 16, 4)[..., 3] > 127)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.data())
def test_a_changed_or_cut_code_is_a_mask_or_refused(data: st.DataObject) -> None:
    code = packed(_rgba(np.eye(16, dtype=np.uint8) * 255))
    for _ in range(data.draw(st.integers(1, 4))):
        code[data.draw(st.integers(0, len(code) - 1))] = data.draw(st.integers(0, 255))
    code = code[: data.draw(st.integers(0, len(code)))]
    mask = _decoded_or_refused(code)
    assert mask is None or mask.shape == (16, 16)


def test_the_compiler_comes_with_the_first_mask_only() -> None:
    script = "import sys, annotation_backend.labeling.masks.brush; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"

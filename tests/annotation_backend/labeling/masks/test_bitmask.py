"""The bitmask codec against Pillow and OpenCV, and against pictures that are none."""

import base64
import io
import struct
import tracemalloc
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, PngImagePlugin

from annotation_backend.labeling.masks import bitmask
from datasets.errors import RejectedInput

PREFIX = "data:image/png;base64,"
SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))
ALPHA = np.array([[0, 1, 127, 128, 255]], dtype=np.uint8)
INSIDE = [[False, False, False, True, True]]


def _url(content: bytes) -> str:
    return PREFIX + base64.b64encode(content).decode()


def _content(url: str) -> bytes:
    return base64.b64decode(url.removeprefix(PREFIX))


def _png(picture: Image.Image, *, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@given(arrays.arrays(bool, SIDES))
def test_a_mask_comes_back_and_others_read_the_same(mask: np.ndarray) -> None:
    height, width = mask.shape
    url = bitmask.encode(mask)
    assert np.array_equal(bitmask.decode(url, height=height, width=width), mask)
    with Image.open(io.BytesIO(_content(url))) as picture:
        assert picture.mode == "RGBA"
        assert np.array_equal(np.asarray(picture), np.dstack([mask * 0] * 3 + [mask * 255]))
    read = cv2.imdecode(np.frombuffer(_content(url), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read[..., 3] > 127, mask)


@given(arrays.arrays(np.uint8, SIDES))
def test_any_alpha_is_read_as_opencv_reads_it(alpha: np.ndarray) -> None:
    height, width = alpha.shape
    alpha[-1, -1] = 255  # fainter ones throughout are read by what they are
    written = cv2.imencode(".png", np.dstack([alpha // 2, alpha, alpha // 3, alpha]))[1].tobytes()
    assert np.array_equal(bitmask.decode(_url(written), height=height, width=width), alpha > 127)


@pytest.mark.parametrize("alpha", [1, 100])
def test_a_bitmask_of_one_faint_alpha_is_drawn(alpha: int) -> None:
    pixels = np.zeros((3, 5, 4), np.uint8)
    pixels[1, 1:4, 3] = alpha
    assert np.array_equal(bitmask.decode(_url(_png(Image.fromarray(pixels))), height=3, width=5), pixels[..., 3] > 0)


def test_masks_in_any_memory_order_are_encoded_as_they_look() -> None:
    mask = np.random.default_rng(0).random((12, 20)) > 0.5
    for view in (np.asfortranarray(mask), mask[::-1, ::-1], mask.T, mask[::2, 1::3]):
        assert np.array_equal(bitmask.decode(bitmask.encode(view), height=view.shape[0], width=view.shape[1]), view)


def _with_palette() -> Image.Image:
    picture = Image.fromarray(np.arange(5, dtype=np.uint8)[np.newaxis], "P")
    picture.putpalette([0] * 15)
    return picture


FORMS = {
    "editor's black": _png(Image.fromarray(np.dstack([ALPHA * 0] * 3 + [ALPHA]))),
    "white": _png(Image.fromarray(np.dstack([np.full_like(ALPHA, 255)] * 3 + [ALPHA]))),
    "grey and alpha": _png(Image.fromarray(np.dstack([ALPHA * 0, ALPHA]), "LA")),
    "palette": _png(_with_palette(), transparency=ALPHA.tobytes()),
    "16 bits": cv2.imencode(".png", np.dstack([ALPHA.astype(np.uint16) * 257] * 4))[1].tobytes(),
    "with a comment": _png(Image.fromarray(np.dstack([ALPHA] * 4)), pnginfo=PngImagePlugin.PngInfo()),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_alpha_is_read_by_one_threshold(name: str) -> None:
    assert bitmask.decode(_url(FORMS[name]), height=1, width=5).tolist() == INSIDE


def test_one_transparent_colour_is_read() -> None:
    grey = _png(Image.fromarray(np.array([[0, 9, 0]], np.uint8)), transparency=0)
    assert bitmask.decode(_url(grey), height=1, width=3).tolist() == [[False, True, False]]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _bomb() -> bytes:
    """A comment of 256 MiB in 260 kB beside a picture of the right size."""
    picture = _png(Image.fromarray(np.zeros((1, 5, 4), np.uint8)))
    comment = _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 28), 9))
    return picture[:33] + comment + picture[33:]


def _claiming(width: int, height: int) -> bytes:
    picture = FORMS["editor's black"]
    return picture[:8] + _chunk(b"IHDR", struct.pack(">II", width, height) + picture[24:29]) + picture[33:]


NO_BITMASKS = {
    "none": None,
    "number": 7,
    "list": [0] * 12,
    "empty": "",
    "an address": "https://example.org/mask.png",
    "svg": "data:image/svg+xml;base64,PHN2Zy8+",
    "no base64": PREFIX + "!!!!",
    "half of base64": PREFIX + "iVBORw0",
    "no character of ours": PREFIX + "\N{SNOWMAN}" * 40,
    "nothing inside": PREFIX,
    "jpeg": _url(_png(Image.new("RGB", (5, 1)), kind="JPEG")),
    "gif": _url(_png(Image.new("P", (5, 1)), kind="GIF")),
    "no alpha": _url(_png(Image.new("RGB", (5, 1)))),
    "grey": _url(_png(Image.new("L", (5, 1)))),
    "of another size": bitmask.encode(np.ones((5, 1), bool)),
    "declares 2^31 pixels across": _url(_claiming(2**31 - 1, 2**31 - 1)),
    "declares nothing": _url(_claiming(0, 1)),
    "cut": _url(FORMS["editor's black"][:50]),
    "changed": _url(FORMS["editor's black"].replace(b"IDAT", b"IDAT", 1)[:45] + b"\0" * 30),
    "signature alone": _url(b"\x89PNG\r\n\x1a\n" + bytes(40)),
    "a comment that is a bomb": _url(_bomb()),
    "too many bytes": _url(FORMS["editor's black"] + bytes(1 << 20)),
}


@pytest.mark.parametrize("name", NO_BITMASKS)
def test_what_is_no_bitmask_of_this_picture_is_refused(name: str) -> None:
    with pytest.raises(RejectedInput, match=r"\[bitmask-code\]"):
        bitmask.decode(NO_BITMASKS[name], height=1, width=5)


def test_a_lie_about_the_size_takes_no_memory() -> None:
    tracemalloc.start()
    for name in ("declares 2^31 pixels across", "a comment that is a bomb", "too many bytes"):
        with pytest.raises(RejectedInput, match="bitmask-code"):
            bitmask.decode(NO_BITMASKS[name], height=1, width=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@settings(max_examples=300)
@given(st.data())
def test_a_changed_or_cut_picture_is_a_mask_or_refused(data: st.DataObject) -> None:
    content = bytearray(FORMS[data.draw(st.sampled_from(sorted(FORMS)))])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    with suppress(RejectedInput):
        assert bitmask.decode(_url(bytes(content)), height=1, width=5).shape == (1, 5)

"""Inflating by Python's zlib and by isal: the same bytes, and the same words for the same damage."""

import gzip
import io
import zlib

import pytest

from datasets.errors import RejectedInput
from datasets.gate import FastInflating
from datasets.inflating import Inflating

CONTENT = bytes(range(256)) * 1000
WHOLE = gzip.compress(CONTENT)

pytestmark = pytest.mark.parametrize("inflating", [Inflating, FastInflating])


def _all(inflating: type[Inflating], compressed: bytes, *, is_gzip: bool = True, count: int = 1000) -> bytes:
    source, found = inflating(io.BytesIO(compressed), is_gzip=is_gzip), b""
    while piece := source.read(count):
        assert len(piece) <= count
        found += piece
    assert source.position == len(found)
    return found


@pytest.mark.parametrize("count", [1, 999, 1 << 20])
def test_the_bytes_inside_in_pieces_of_any_size(inflating: type[Inflating], count: int) -> None:
    short = CONTENT[:3000] if count == 1 else CONTENT
    assert _all(inflating, gzip.compress(short), count=count) == short


def test_members_padding_and_bare_deflate(inflating: type[Inflating]) -> None:
    assert _all(inflating, WHOLE * 3 + bytes(1 << 17)) == CONTENT * 3
    bare = zlib.compressobj(6, zlib.DEFLATED, -15)
    assert _all(inflating, bare.compress(CONTENT) + bare.flush(), is_gzip=False) == CONTENT
    source = inflating(io.BytesIO(WHOLE), is_gzip=True)
    assert (source.skip(100_000), source.read(3)) == (100_000, CONTENT[100_000:100_003])
    assert source.skip(1 << 30) == len(CONTENT) - 100_003


@pytest.mark.parametrize(
    ("damaged", "code"),
    [
        (WHOLE[:-8] + bytes([WHOLE[-8] ^ 1]) + WHOLE[-7:], "compressed-crc"),
        (WHOLE[:-1] + bytes([WHOLE[-1] ^ 1]), "compressed-crc"),
        (WHOLE[:-1], "compressed-truncated"),
        (b"", "compressed-truncated"),
        (WHOLE[:30], "compressed-truncated"),
        (b"\0" * 100, "compressed-damaged"),
        (WHOLE[:20] + b"\xff" * 50 + WHOLE[70:], "compressed-damaged"),
        (WHOLE + b"more", "compressed-trailing"),
        (WHOLE + b"\x1f", "compressed-trailing"),
    ],
)
def test_damage_has_one_word_in_both(inflating: type[Inflating], damaged: bytes, code: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        _all(inflating, damaged)
    assert refusal.value.code == code

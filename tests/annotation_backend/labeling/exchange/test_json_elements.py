"""Lists of JSON, one element at a time, wherever the pieces that are read end."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation_backend.labeling.exchange import json_elements

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(autouse=True, scope="module")
def _small_pieces() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_elements, "PIECE", 3)
        patch.setattr(json_elements, "NEAR_THE_END", 64)
        yield


def _read(content: bytes) -> list[Any]:
    return list(json_elements.json_elements(io.BytesIO(content)))


@given(st.lists(VALUES, max_size=6), st.booleans(), st.sampled_from([None, 1]))
def test_elements_are_those_of_the_list(values: list[Any], is_ascii: bool, indent: int | None) -> None:
    assert _read(json.dumps(values, ensure_ascii=is_ascii, indent=indent).encode("utf-8", "surrogatepass")) == values


@given(VALUES.filter(lambda value: not isinstance(value, list)))
def test_a_value_that_is_no_list_is_the_only_element(value: Any) -> None:
    assert _read(json.dumps(value).encode()) == [value]


def test_long_strings_and_byte_order_marks_are_read() -> None:
    assert _read(b"\xef\xbb\xbf" + json.dumps(["x" * 10_000, 1]).encode()) == ["x" * 10_000, 1]


@pytest.mark.parametrize(
    "content",
    [b"", b" ", b"[", b"[1", b"[1,", b"[1,]", b"[1 2]", b"[1]]", b"{}{}", b"[NaN]", b"[-Infinity]", b"\xff\xfe",
     b"[\"a", b"[" * 100_000, b'{"a":' * 100_000, b"[1" + b"0" * 10_000 + b"]", b"[{]" + b" " * 1000],
)  # fmt: skip
def test_what_is_no_json_is_told(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        _read(content)

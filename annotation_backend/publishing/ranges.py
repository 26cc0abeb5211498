"""Parts of a download (RFC 9110, section 14): one range of bytes; anything else gets the whole."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=\s*(\d{0,100})-(\d{0,100})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """The bytes from `start` up to `stop`; `is_whole` where nothing else was asked for."""

    start: int
    stop: int
    is_whole: bool


def part_asked_for(headers: Mapping[str, str], *, size: int, etag: str) -> Part | None:
    """The part that a request asks for.

    Args:
        headers: The request's, whatever their case.
        size: Size of the whole file in bytes.
        etag: Of the whole, with its quotation marks; a part of another state is no use to anybody.

    Returns:
        The part; None where the range lies behind the end.
    """
    whole = Part(0, size, is_whole=True)
    found = _RANGE.fullmatch(headers.get("Range", ""))
    if found is None or found.groups() == ("", "") or headers.get("If-Range") not in (None, etag):
        return whole
    first, last = found.groups()
    if not first:  # the last so many bytes
        length = min(int(last), size)
        return Part(size - length, size, is_whole=False) if length else None
    start, stop = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < int(first):
        return whole
    return Part(start, stop, is_whole=False) if start < size else None

"""The elements of a large JSON list, one at a time: no export of a hundred thousand tasks is in memory as a whole."""

import json
from collections.abc import Generator, Iterator
from io import TextIOWrapper
from typing import Any, BinaryIO

PIECE = 1 << 22
"""Characters that are read at once, or more where an element is longer."""

NEAR_THE_END = 1 << 12
"""A fault this near to the end of what is read may be an element that goes on in the next piece."""

NO_JSON = " is no JSON"
_BETWEEN = " \t\r\n"
_ENDS = (*_BETWEEN, ",", "]")
"""Characters that follow a whole number or word; without one it might go on in the next piece."""


def json_elements(stream: BinaryIO) -> Generator[Any, None, None]:
    """The elements of a list, or the one value of a file that holds no list.

    Raises:
        ValueError: This is no JSON, or it is cut; the elements before that have been given.
    """
    text = TextIOWrapper(stream, encoding="utf-8-sig")
    try:
        yield from _Reader(text).elements()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    finally:
        text.detach()


class _Reader:
    """Text that is read as far as the next element needs it."""

    def __init__(self, text: TextIOWrapper) -> None:
        self._text = text
        self._decoder = json.JSONDecoder(parse_constant=_refuse_constant)
        self._waiting, self._place, self._is_whole = "", 0, False

    def elements(self) -> Iterator[Any]:
        if self._next_character() != "[":
            yield self._element()
        else:
            self._place += 1
            if self._next_character() == "]":
                self._place += 1
            else:
                yield self._element()
                while (found := self._next_character()) == ",":
                    self._place += 1
                    yield self._element()
                if found != "]":
                    raise ValueError("neither a comma nor the end of the list")
                self._place += 1
        if self._next_character():
            raise ValueError("something behind the end")

    def _element(self) -> Any:
        """The value that begins here; more is read until it is whole, each time as much as is there."""
        self._next_character()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._waiting, self._place)
            except json.JSONDecodeError as error:
                is_cut = error.pos > len(self._waiting) - NEAR_THE_END or error.msg.startswith("Unterminated")
                if self._is_whole or not is_cut:
                    raise
            else:
                if self._is_whole or isinstance(value, dict | list | str) or self._waiting[end : end + 1] in _ENDS:
                    self._place = end
                    return value
            self._read(len(self._waiting) - self._place)

    def _next_character(self) -> str:
        """The next character that is no space, where reading then stands; empty at the end."""
        while True:
            while self._place < len(self._waiting) and self._waiting[self._place] in _BETWEEN:
                self._place += 1
            if self._place < len(self._waiting) or self._is_whole:
                return self._waiting[self._place : self._place + 1]
            self._read(0)

    def _read(self, least: int) -> None:
        piece = self._text.read(max(PIECE, least))
        self._waiting, self._place = self._waiting[self._place :] + piece, 0
        self._is_whole = not piece


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name}{NO_JSON}")

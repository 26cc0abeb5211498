"""The element structure of a DICOM file, walked without recursion or trust in its lengths before a parser sees it.

Parsers of DICOM recurse into sequences, inflate deflated data, and allocate as much as a length claims. This walk
visits every element's header once, in constant memory, and refuses the file at the first impossible or too costly
element.

Source: DICOM PS3.5, sections 7 (elements and sequences), 10 and Annex A (transfer syntaxes).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from pydicom.datadict import DicomDictionary
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from datasets.dicom.start import BEGINNING_BYTES, Start, start_of
from datasets.errors import RejectedInput
from datasets.gate import DEFAULT_BUDGET, Budget, Inflated, size_of

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_DATA = 0x7FE00010
_TRANSFER_SYNTAX = 0x00020010
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_KEPT_BYTES = 1024
_FIRST_FRAGMENT_BYTES = 4096
_READ_BYTES = 4096
"""Values up to this size are read over; seeking past them costs more."""


@dataclass(frozen=True)
class Fragments:
    """The pieces of encapsulated pixel data.

    Args:
        offset_table: The basic offset table, as bytes.
        starts: Where each fragment's item begins, counted from the first fragment's.
        lengths: Bytes of each fragment.
        beginning: The first bytes of the first fragment.
    """

    offset_table: bytes
    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    beginning: bytes = field(repr=False)


@dataclass(frozen=True)
class DicomStructure:
    """The element structure of a DICOM file.

    Args:
        preamble: The 128 bytes before the magic, which DICOM leaves free.
        is_bare: Whether preamble and magic are lacking.
        transfer_syntax: As the file meta information says, or the elements of a file without; empty where it says
            nothing.
        is_mislabelled: Whether the elements are written in another way than the transfer syntax says.
        is_little_endian: Byte order of the elements.
        values: Short values of the elements outside sequences, by tag. They name the patient: never to be shown.
        pixel_bytes: Length of the pixel data where it is not encapsulated; None without.
        fragments: Of the pixel data where it is encapsulated; None without.
        odd_lengths: How many elements have an odd length, which the standard forbids.
        elements: Elements at any depth.
        items: Items of all sequences.
        depth: Deepest nesting of sequences.
    """

    preamble: bytes = field(repr=False)
    is_bare: bool
    transfer_syntax: str
    is_mislabelled: bool
    is_little_endian: bool
    values: Mapping[int, bytes] = field(repr=False)
    pixel_bytes: int | None
    fragments: Fragments | None
    odd_lengths: int
    elements: int
    items: int
    depth: int

    def text(self, tag: int) -> str | None:
        """A short value as Latin-1 text without padding; None where absent. Never to be shown."""
        value = self.values.get(tag)
        return None if value is None else value.decode("latin-1").strip(" \0")

    def short(self, tag: int) -> int | None:
        """The first 16-bit number of a value; None where absent."""
        value = self.values.get(tag, b"")
        return struct.unpack_from("<H" if self.is_little_endian else ">H", value)[0] if len(value) >= 2 else None


def walk(stream: BinaryIO, *, budget: Budget = DEFAULT_BUDGET) -> DicomStructure:
    """Walks a DICOM file from its start to its end.

    Raises:
        RejectedInput: ``dicom-unreadable`` (no DICOM, or truncated), ``dicom-length`` (an element longer than its
            container, or without a length), ``dicom-nesting``, ``dicom-items``, ``dicom-elements``,
            ``declared-too-large``, or what `Inflated` refuses.
    """
    start = start_of(stream.read(BEGINNING_BYTES))
    if start is None:
        raise unreadable("no DICOM magic")
    stream.seek(start.length)
    left: int | None = size_of(stream) - start.length
    syntax = start.syntax
    if not syntax:
        walk_of_meta = _Walk(stream, left, is_implicit=False, order="<", budget=budget)
        walk_of_meta.run(only_group=0x0002)
        syntax = walk_of_meta.values.get(_TRANSFER_SYNTAX, b"").decode("latin-1").strip(" \0")
        left = size_of(stream) - start.length - walk_of_meta.position
    source: BinaryIO | Inflated = stream
    if syntax == DeflatedExplicitVRLittleEndian:
        source = Inflated(stream, is_gzip=False, compressed_bytes=left or 0, budget=budget)
        left = None
    return _walk_elements(source, left, start, syntax, budget)


def _walk_elements(
    source: BinaryIO | Inflated, left: int | None, start: Start, syntax: str, budget: Budget
) -> DicomStructure:
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    ahead = source.read(8)
    is_implicit = not _is_vr(ahead[4:6])
    elements = _Walk(source, left, is_implicit=is_implicit, order=order, budget=budget, ahead=ahead)
    elements.run()
    if isinstance(source, Inflated):
        elements.read_to_the_end()
    return DicomStructure(
        preamble=start.preamble,
        is_bare=start.is_bare,
        transfer_syntax=syntax,
        is_mislabelled=bool(ahead) and is_implicit != (syntax == ImplicitVRLittleEndian),
        is_little_endian=order == "<",
        values=MappingProxyType(elements.values),
        pixel_bytes=elements.pixel_bytes,
        fragments=elements.fragments,
        odd_lengths=elements.odd_lengths,
        elements=elements.elements,
        items=elements.items,
        depth=elements.depth,
    )


def unreadable(what: str) -> RejectedInput:
    """The refusal of a file that is no whole DICOM file."""
    return RejectedInput(
        "dicom-unreadable",
        f"The file is no DICOM file or a damaged one ({what}).",
        remedy="Export or copy the file again.",
    )


class _Container(NamedTuple):
    """A data set, a sequence or an item that is open at the walk's position."""

    is_sequence: bool
    end: int | None
    """End of the container; None where a delimiter marks it."""
    limit: int | None
    """End of the innermost container whose length is known."""
    is_implicit: bool


class _Walk:
    """One pass over the elements of a data set; sequences and items lie on a list of its own, not on Python's stack."""

    def __init__(
        self,
        source: BinaryIO | Inflated,
        end: int | None,
        *,
        is_implicit: bool,
        order: str,
        budget: Budget,
        ahead: bytes = b"",
    ) -> None:
        self.source = source
        self.end = end
        self.budget = budget
        self.ahead = ahead
        self.position = 0
        self.values: dict[int, bytes] = {}
        self.pixel_bytes: int | None = None
        self.fragments: Fragments | None = None
        self.odd_lengths = self.elements = self.items = self.depth = 0
        self._unpack_tag = struct.Struct(f"{order}HH").unpack
        self._unpack_short = struct.Struct(f"{order}H").unpack
        self._unpack_long = struct.Struct(f"{order}L").unpack
        self._open = [_Container(False, end, end, is_implicit)]

    def run(self, *, only_group: int | None = None) -> None:
        """Walks to the end, or to the first element of another group, which is put back."""
        while self._close_what_ends():
            head = self._head()
            if not head:
                return
            group, number = self._unpack_tag(head[:4])
            if only_group is not None and group != only_group:
                self.source.seek(-8, 1)  # type: ignore[union-attr]  # the meta information is never deflated
                self.position -= 8
                return
            self._take(group << 16 | number, head)

    def read_to_the_end(self) -> None:
        """Inflates the rest, so that a decompression bomb behind the last element is found."""
        while self.source.read(_READ_BYTES * 16):
            pass

    def _close_what_ends(self) -> bool:
        """Closes items and sequences that end here; False at the end of the data set."""
        while self._open and self._open[-1].end == self.position:
            self._open.pop()
        return bool(self._open)

    def _head(self) -> bytes:
        """The next eight bytes; empty at the end of a data set whose length is not known."""
        head, self.ahead = self.ahead or self.source.read(8), b""
        if len(head) < 8:
            if len(self._open) > 1 or head.strip(b"\0"):
                raise unreadable("it ends inside an element")
            return b""
        self.position += 8
        return head

    def _take(self, tag: int, head: bytes) -> None:
        if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):
            self._take_delimiter(tag, self._unpack_long(head[4:])[0])
            return
        inside = self._open[-1]
        if inside.is_sequence:
            raise unreadable("a sequence without items")
        self.elements += 1
        if self.elements > self.budget.elements:
            raise _too_many("dicom-elements", "elements", self.budget.elements)
        vr = head[4:6]
        if inside.is_implicit or not _is_vr(vr):
            vr, length = _implied_vr(tag), self._unpack_long(head[4:])[0]
        elif vr in _LONG_VRS:
            length = self._unpack_long(self._exactly(4))[0]
        else:
            length = self._unpack_short(head[6:])[0]
        self._take_value(tag, vr, length)

    def _take_delimiter(self, tag: int, length: int) -> None:
        inside = self._open[-1]
        if tag == _ITEM and inside.is_sequence:
            self.items += 1
            if self.items > self.budget.items:
                raise _too_many("dicom-items", "items of sequences", self.budget.items)
            self._enter(length, is_sequence=False)
        elif inside.end is None and len(self._open) > 1 and tag == (_SEQUENCE_END if inside.is_sequence else _ITEM_END):
            self._open.pop()
        elif tag == _ITEM or length or len(self._open) == 1:
            raise unreadable("an item outside a sequence")

    def _take_value(self, tag: int, vr: bytes, length: int) -> None:
        is_unknown = vr == b"UN"
        if tag == _PIXEL_DATA and length == _UNDEFINED:
            self._take_fragments()
        elif vr == b"SQ" or (is_unknown and (length == _UNDEFINED or _implied_vr(tag) == b"SQ")):
            if len(self._open) // 2 >= self.budget.nesting:
                raise _too_many("dicom-nesting", "sequences inside one another", self.budget.nesting)
            self._enter(length, is_sequence=True)
            self.depth = max(self.depth, len(self._open) // 2)
        elif length == _UNDEFINED:
            raise _wrong_length("An element outside sequences gives no length.")
        else:
            self._pass_over(tag, length)

    def _enter(self, length: int, *, is_sequence: bool) -> None:
        """Opens a sequence or an item. Unknown sequences in explicit files are implicit, which their elements show."""
        inside = self._open[-1]
        end = None if length == _UNDEFINED else self._end_of(length)
        limit = inside.limit if end is None else end
        self._open.append(_Container(is_sequence, end, limit, inside.is_implicit))

    def _end_of(self, length: int) -> int:
        """Where an element of this length ends; it must lie inside its container."""
        end, limit = self.position + length, self._open[-1].limit
        if limit is not None and end > limit:
            if limit == self.end:
                raise unreadable("an element reaches beyond the end")
            raise _wrong_length("An element reaches beyond the item that holds it.")
        return end

    def _pass_over(self, tag: int, length: int) -> None:
        self._end_of(length)
        self.odd_lengths += length % 2
        is_outermost = len(self._open) == 1
        if tag == _PIXEL_DATA and is_outermost:
            if length > self.budget.volume_bytes:
                raise RejectedInput(
                    "declared-too-large",
                    f"Expected at most {self.budget.volume_bytes} bytes of pixels, got {length}.",
                    remedy="Check that the file is what it should be; if it is, read it with a larger budget.",
                )
            self.pixel_bytes = length
        if length <= _READ_BYTES:
            value = self._exactly(length)
            if is_outermost and length <= _KEPT_BYTES:
                self.values[tag] = value
        else:
            self._skip(length)

    def _take_fragments(self) -> None:
        """Encapsulated pixel data: the offset table, then fragments, then the sequence's end."""
        table: bytes | None = None
        starts: list[int] = []
        lengths: list[int] = []
        beginning = b""
        while True:
            group, number = self._unpack_tag(self._exactly(4))
            length = self._unpack_long(self._exactly(4))[0]
            if group << 16 | number == _SEQUENCE_END:
                break
            if group << 16 | number != _ITEM or length == _UNDEFINED:
                raise unreadable("pixel data without a proper end")
            self.items += 1
            if self.items > self.budget.items:
                raise _too_many("dicom-items", "fragments of pixel data", self.budget.items)
            self._end_of(length)
            if table is None:
                table = self._exactly(length) if length <= 4 * self.budget.items else b""
                if len(table) != length:
                    raise _too_many("dicom-items", "entries in an offset table", self.budget.items)
                continue
            starts.append(starts[-1] + lengths[-1] + 8 if starts else 0)
            lengths.append(length)
            kept = 0 if beginning else min(length, _FIRST_FRAGMENT_BYTES)
            beginning = beginning or self._exactly(kept)
            self._skip(length - kept)
        if len(self._open) == 1:
            self.fragments = Fragments(table or b"", tuple(starts), tuple(lengths), beginning)

    def _exactly(self, count: int) -> bytes:
        value = self.source.read(count) if count else b""
        if len(value) < count:
            raise unreadable("it ends inside an element")
        self.position += count
        return value

    def _skip(self, count: int) -> None:
        if isinstance(self.source, Inflated):
            if self.source.skip(count) < count:
                raise unreadable("it ends inside an element")
        else:
            self.source.seek(count, 1)
        self.position += count


def _is_vr(vr: bytes) -> bool:
    """Whether two bytes can be a value representation: two capital letters, as parsers take it."""
    return len(vr) == 2 and 65 <= vr[0] <= 90 and 65 <= vr[1] <= 90


def _implied_vr(tag: int) -> bytes:
    """A tag's value representation where the file does not say it: sequences are known, the rest does not matter."""
    return b"SQ" if tag in _sequence_tags() else b"UN"


@cache
def _sequence_tags() -> frozenset[int]:
    return frozenset(tag for tag, (vr, *_) in DicomDictionary.items() if vr == "SQ")


def _wrong_length(message: str) -> RejectedInput:
    return RejectedInput("dicom-length", message, remedy="Export or copy the file again.")


def _too_many(code: str, what: str, most: int) -> RejectedInput:
    return RejectedInput(
        code,
        f"The DICOM file has more than {most} {what}.",
        remedy="Check that the file is what it should be; if it is, read it with a larger budget.",
    )

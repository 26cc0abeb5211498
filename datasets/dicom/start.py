"""How a DICOM file begins: with preamble and meta information, or, as older programs write it, without either.

A file without preamble has no magic bytes. It is taken for DICOM only where its first two elements can be a data set's
first: of group 0008, in rising order, of lengths that such elements have.

Source: DICOM PS3.10 7.1 (file meta information), PS3.5 7.1 (data elements) and Annex A (transfer syntaxes).
"""

import struct
from dataclasses import dataclass, field

from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

PREAMBLE_BYTES = 128
MAGIC = b"DICM"
BEGINNING_BYTES = 1024
"""How much of a file `start_of` wants to see."""

_META_GROUP, _FIRST_GROUP = 0x0002, 0x0008
_LAST_FIRST_ELEMENT = 0x0018
"""A data set begins with its length, character set, image type, dates or UIDs: at the latest with the object's own."""

_LAST_META_ELEMENT = 0x0010
_META_VRS = frozenset({b"UL", b"OB", b"UI"})
_LONGEST_FIRST = 512
_LATEST_NEXT_GROUP = 0x0010
_VRS = frozenset({b"UL", b"CS", b"UI", b"DA", b"TM", b"LO", b"SH"})


@dataclass(frozen=True)
class Start:
    """The beginning of a DICOM file.

    Args:
        length: Bytes before the first element.
        preamble: The bytes before the magic.
        syntax: Transfer syntax of a file without meta information, as its first elements show; empty with it.
    """

    length: int
    preamble: bytes = field(default=b"", repr=False)
    syntax: str = ""

    @property
    def is_bare(self) -> bool:
        """Whether preamble and magic bytes are lacking."""
        return not self.length


def start_of(beginning: bytes) -> Start | None:
    """How a file with these first bytes begins; None for one that is no DICOM."""
    if beginning[PREAMBLE_BYTES : PREAMBLE_BYTES + len(MAGIC)] == MAGIC:
        return Start(PREAMBLE_BYTES + len(MAGIC), beginning[:PREAMBLE_BYTES])
    if len(beginning) < 16:
        return None
    group, number = struct.unpack_from("<HH", beginning)
    if group == _META_GROUP and number <= _LAST_META_ELEMENT and beginning[4:6] in _META_VRS:
        return Start(0)
    for syntax, order in ((ExplicitVRLittleEndian, "<"), (ExplicitVRBigEndian, ">"), (ImplicitVRLittleEndian, "<")):
        if _begins_data_set(beginning, order, is_implicit=syntax == ImplicitVRLittleEndian):
            return Start(0, syntax=str(syntax))
    return None


def _begins_data_set(beginning: bytes, order: str, *, is_implicit: bool) -> bool:
    group, number = struct.unpack_from(f"{order}HH", beginning)
    end = _end_of_element(beginning, order, is_implicit=is_implicit)
    if group != _FIRST_GROUP or number > _LAST_FIRST_ELEMENT or end is None or len(beginning) < end + 8:
        return False
    following = struct.unpack_from(f"{order}HH", beginning, end)
    is_next: bool = (group, number) < following <= (_LATEST_NEXT_GROUP, 0xFFFF)
    return is_next and (is_implicit or beginning[end + 4 : end + 6].isalpha())


def _end_of_element(beginning: bytes, order: str, *, is_implicit: bool) -> int | None:
    """Where the first element ends; None where it cannot be one."""
    if is_implicit:
        length, start = struct.unpack_from(f"{order}L", beginning, 4)[0], 8
    elif beginning[4:6] not in _VRS:
        return None
    else:
        length, start = struct.unpack_from(f"{order}H", beginning, 6)[0], 8
    return start + int(length) if length <= _LONGEST_FIRST and length % 2 == 0 else None

"""Plausibility checks of a DICOM file's structure and header, before any pixel is decoded.

An error keeps the file out, a warning is for a person to look at. Nothing of the file's values is ever quoted.

Source: DICOM PS3.5 (8.2 native and encapsulated pixels, 9.1 UIDs, A.4 offset tables), PS3.3 C.7.6.3 (image pixels),
C.12.1.1.2 (character sets), PS3.10 7.1 (preamble).
"""

import re
import struct
from collections.abc import Callable, Iterator

from pydicom.charset import python_encoding

from datasets.dicom.codestream import KINDS, NATIVE_SYNTAXES, recognise
from datasets.dicom.sop_classes import IMAGE_CLASSES
from datasets.dicom.structure import DicomStructure
from datasets.finding import Finding, Level

_PROGRAMS = (
    b"MZ",
    b"\x7fELF",
    b"#!",
    b"%PDF",
    b"PK\x03\x04",
    b"\xfe\xed\xfa",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"<",
)
"""Magic bytes of programs and documents; TIFF (``II*``, ``MM``), which the standard allows, is none of them."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_LONGEST_UID = 64
_CHARACTER_SET = 0x00080005
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_STUDY, _SERIES, _FRAME_OF_REFERENCE = 0x0020000D, 0x0020000E, 0x00200052
_SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS, _BITS = (
    0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100,
)  # fmt: skip
_SINGLE_BYTE = frozenset(
    {"", "ISO_IR 6", *(f"ISO_IR {number}" for number in (100, 101, 109, 110, 126, 127, 138, 144, 148))}
)
_TEXTS = (0x00080070, 0x00080080, 0x00081030, 0x0008103E, 0x00100010, 0x00184000)
_MOST_PADDING = 512
"""Some scanners round the length of their pixels up to a block; more is not padding."""

_RESEND = "Send the object again from the archive."


def check_structure(structure: DicomStructure) -> Iterator[Finding]:
    """All findings about a file's structure.

    Yields:
        Errors: ``dicom-uid`` (a warning where it could be no path), ``dicom-no-instance-uid``,
        ``dicom-transfer-syntax``, ``dicom-transfer-syntax-differs``, ``dicom-pixels-differ``, ``dicom-offset-table``.
        Warnings: ``dicom-preamble``, ``dicom-no-preamble``, ``dicom-no-frame-of-reference``, ``dicom-pixels-padded``,
        ``dicom-odd-length``, ``dicom-character-set``.
    """
    for check in _CHECKS:
        yield from check(structure)


def _preamble(structure: DicomStructure) -> Iterator[Finding]:
    """A preamble that makes the file a program or document as well (a polyglot, CVE-2019-11687), or no preamble."""
    if structure.is_bare:
        yield _warning(
            "dicom-no-preamble",
            "The file has no DICOM preamble; its encoding was inferred from its first elements.",
            "Nothing, if the image is right; another program may refuse the file.",
        )
    if structure.preamble.startswith(_PROGRAMS):
        yield _warning(
            "dicom-preamble",
            "The DICOM preamble makes the file a program or a document as well.",
            "Do not open the file with anything else; de-identification clears the preamble.",
        )


def _uids(structure: DicomStructure) -> Iterator[Finding]:
    for tag in (_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES, _FRAME_OF_REFERENCE):
        uid = structure.text(tag)
        if uid and (len(uid) > _LONGEST_UID or not _UID.fullmatch(uid)):
            yield _wrong_uid(uid)
            break
    if not structure.text(_SOP_INSTANCE):
        yield _error("dicom-no-instance-uid", "The object has no SOP instance UID.")
    elif _is_tomogram(structure) and not structure.text(_FRAME_OF_REFERENCE):
        yield _warning(
            "dicom-no-frame-of-reference",
            "The object names no frame of reference; whether two series share their coordinates is not known.",
            "Nothing, if the images are registered.",
        )


def _wrong_uid(uid: str) -> Finding:
    """A UID that could be taken for a path is an attack; letters and excess length come from careless anonymisers."""
    message = "A UID is not at most 64 digits and dots."
    if set("/\\\0") & set(uid):
        return _error("dicom-uid", message)
    return _warning("dicom-uid", message, "Nothing here; another program may refuse the file.")


def _transfer_syntax(structure: DicomStructure) -> Iterator[Finding]:
    """Pixels must be as the transfer syntax says: native, or compressed in a way that can be decoded."""
    syntax, fragments = structure.transfer_syntax, structure.fragments
    if structure.is_mislabelled:
        yield _differs("elements in another encoding")
    elif structure.pixel_bytes is not None and syntax in KINDS:
        yield _differs("pixels that are not compressed")
    elif fragments is not None and syntax in NATIVE_SYNTAXES:
        yield _differs("compressed pixels")
    elif fragments is not None and syntax not in KINDS:
        yield _error(
            "dicom-transfer-syntax",
            "The pixels are compressed in a way that cannot be read; JPEG, JPEG-LS, JPEG 2000 and RLE can.",
            "Have the archive send the series uncompressed (Explicit VR Little Endian).",
        )
    elif fragments is not None:
        picture = recognise(fragments.beginning)
        if picture is None or picture.kind not in KINDS[syntax]:
            yield _differs(picture.kind if picture else "compressed pixels of an unknown kind")


def _pixel_length(structure: DicomStructure) -> Iterator[Finding]:
    """Native pixels have the length that their header says; compressed ones the size."""
    rows, columns = structure.short(_ROWS), structure.short(_COLUMNS)
    if not rows or not columns:
        return
    if structure.pixel_bytes is not None:
        expected = _expected_bytes(structure, rows * columns)
        excess = structure.pixel_bytes - expected
        if not 0 <= excess <= _MOST_PADDING:
            found = f"{structure.pixel_bytes}"
            yield _pixels_differ(f"{expected} bytes of pixels, as rows, columns and bits say", found)
        elif excess > expected % 2:
            message = f"Expected {expected} bytes of pixels, got {structure.pixel_bytes}; the last are left out."
            yield _warning("dicom-pixels-padded", message, "Nothing, if the image is right.")
    if structure.fragments is not None:
        picture = recognise(structure.fragments.beginning)
        if picture and picture.size not in (None, (columns, rows)):
            message = f"The compressed bytes hold a picture of another size than {columns} x {rows} pixels."
            yield _error("dicom-pixels-differ", message)
        elif len(structure.fragments.lengths) < _frames(structure):
            yield _pixels_differ(
                f"{_frames(structure)} frames", f"{len(structure.fragments.lengths)} compressed pieces"
            )


def _expected_bytes(structure: DicomStructure, pixels: int) -> int:
    samples = structure.short(_SAMPLES) or 1
    if structure.text(_PHOTOMETRIC) == "YBR_FULL_422":
        samples = 2
    return -(-pixels * samples * _frames(structure) * (structure.short(_BITS) or 16) // 8)


def _frames(structure: DicomStructure) -> int:
    said = structure.text(_FRAMES) or ""
    return int(said) if said.isascii() and said.isdigit() and len(said) < 8 else 1


def _offset_table(structure: DicomStructure) -> Iterator[Finding]:
    """The table of where each frame begins is empty, or names the beginning of one fragment a frame."""
    fragments = structure.fragments
    if fragments is None or not fragments.offset_table:
        return
    table = fragments.offset_table
    offsets = struct.unpack(f"<{len(table) // 4}L", table[: len(table) // 4 * 4])
    is_sound = len(table) % 4 == 0 and offsets[0] == 0 and len(offsets) == _frames(structure)
    if not is_sound or list(offsets) != sorted(set(offsets)) or not set(offsets) <= set(fragments.starts):
        yield _error("dicom-offset-table", "The table of frame offsets (Basic Offset Table) is wrong.")


def _odd_lengths(structure: DicomStructure) -> Iterator[Finding]:
    if structure.odd_lengths:
        yield _warning(
            "dicom-odd-length",
            f"{structure.odd_lengths} element(s) have an odd length, which DICOM forbids.",
            "Nothing, if the image is right; another program may refuse the file.",
        )


def _character_set(structure: DicomStructure) -> Iterator[Finding]:
    """Texts must be written in the character set that the file names; where they are not, they may be read wrongly."""
    names = (structure.text(_CHARACTER_SET) or "").split("\\")
    texts = [structure.values[tag] for tag in _TEXTS if tag in structure.values]
    is_known = all(name.strip() in python_encoding for name in names)
    if not is_known or any(_is_written_otherwise(text, names) for text in texts):
        yield _warning(
            "dicom-character-set",
            "Some texts are not in the character set that the file names.",
            "Nothing, unless the series was chosen by its description.",
        )


def _is_written_otherwise(text: bytes, names: list[str]) -> bool:
    if len(names) == 1 and b"\x1b" in text:
        return True  # switches between character sets, of which the file names one
    if text.isascii() or len(names) > 1:
        return False
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return names[0].strip() == "ISO_IR 192"
    return names[0].strip() in _SINGLE_BYTE


def _is_tomogram(structure: DicomStructure) -> bool:
    return structure.text(_SOP_CLASS) in IMAGE_CLASSES


def _error(code: str, message: str, remedy: str = _RESEND) -> Finding:
    return Finding(Level.ERROR, code, message, remedy)


def _warning(code: str, message: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, code, message, remedy)


def _differs(found: str) -> Finding:
    return _error("dicom-transfer-syntax-differs", f"The file contradicts its transfer syntax: it holds {found}.")


def _pixels_differ(expected: str, found: str) -> Finding:
    return _error("dicom-pixels-differ", f"Expected {expected}, got {found}.")


_CHECKS: tuple[Callable[[DicomStructure], Iterator[Finding]], ...] = (
    _preamble,
    _uids,
    _transfer_syntax,
    _pixel_length,
    _offset_table,
    _odd_lengths,
    _character_set,
)

"""Bad DICOM files: each is a good one, spoilt in the way that its name says.

The numbers are those of a fixed list of bad inputs, so that a test can say which of them it covers.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

MPEG4 = "1.2.840.10008.1.2.4.102"
JPEG = b"\xff\xd8\xff\xc0\0\x0b\x08\0\x0a\0\x08\x01\x01\x11\0\xff\xd9"
"""The markers of a JPEG of 8 columns and 10 rows."""


def edit(path: Path, change: Callable[[Dataset], object]) -> None:
    """Changes one DICOM file's data set."""
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)


def parts(path: Path) -> tuple[bytes, bytes]:
    """A file's first part (preamble, magic and file meta information) and its data set, explicit little endian."""
    content = path.read_bytes()
    length = struct.unpack_from("<L", content, 140)[0]  # (0002,0000), the first element
    return content[: 144 + length], content[144 + length :]


def explicit(group: int, number: int, vr: bytes, value: bytes, *, length: int | None = None) -> bytes:
    """One explicit little-endian element; a length other than the value's is a lie."""
    declared = len(value) if length is None else length
    if vr in (b"SQ", b"OB", b"OW", b"UN", b"UT"):
        return struct.pack("<2H2s2xL", group, number, vr, declared) + value
    return struct.pack("<2H2sH", group, number, vr, declared) + value


def nested(depth: int, *, defined: bool) -> bytes:
    """Sequences inside one another."""
    content = b""
    for _ in range(depth):
        if defined:
            item = struct.pack("<2HL", 0xFFFE, 0xE000, len(content)) + content
            content = explicit(0x0008, 0x1140, b"SQ", item)
        else:
            item = struct.pack("<2HL", 0xFFFE, 0xE000, 0xFFFFFFFF) + content + struct.pack("<2HL", 0xFFFE, 0xE00D, 0)
            content = explicit(0x0008, 0x1140, b"SQ", item, length=0xFFFFFFFF) + struct.pack("<2HL", 0xFFFE, 0xE0DD, 0)
    return content


def insert(path: Path, element: bytes, *, before: bytes = struct.pack("<2H", 0x0010, 0x0010)) -> None:
    """Puts raw bytes before an element of an explicit little-endian file (the patient's name)."""
    first, dataset = parts(path)
    position = dataset.index(before)
    path.write_bytes(first + dataset[:position] + element + dataset[position:])


def replace_preamble(path: Path, preamble: bytes) -> None:
    """Writes other bytes before the magic."""
    path.write_bytes(preamble.ljust(128, b"\0") + path.read_bytes()[128:])


def deflate(path: Path, *, zeros: int = 0) -> None:
    """Rewrites a file with the deflated transfer syntax, its pixels replaced by `zeros` zeros (multiples of 16 MiB)."""
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if zeros:
        del dataset.PixelData
    dataset.save_as(path)
    _, plain = parts(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    first, _ = parts(path)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    content = packer.compress(plain)
    if zeros:
        content += packer.compress(explicit(0x7FE0, 0x0010, b"OW", b"", length=zeros))
        content += packer.flush(zlib.Z_FULL_FLUSH)  # from here on, whole blocks may be repeated
        content += _zero_block() * (zeros >> 24)
    path.write_bytes(first + content + packer.flush())


def _zero_block() -> bytes:
    """16 MiB of zeros as deflate blocks that refer to nothing before them."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)


def encapsulated(fragments: Sequence[bytes], *, table: bytes = b"") -> bytes:
    """The value of encapsulated pixel data, with its end."""
    pieces = [table, *fragments]
    items = b"".join(struct.pack("<2HL", 0xFFFE, 0xE000, len(piece)) + piece for piece in pieces)
    return items + struct.pack("<2HL", 0xFFFE, 0xE0DD, 0)


def set_encapsulated(path: Path, syntax: str, value: bytes) -> None:
    """Gives a file another transfer syntax and already encapsulated pixels, whatever they are."""
    dataset = dcmread(path)
    del dataset.PixelData
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path)
    _, plain = parts(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    path.write_bytes(b"")
    dataset.save_as(path, enforce_file_format=True)
    first, _ = parts(path)
    path.write_bytes(first + plain + explicit(0x7FE0, 0x0010, b"OB", value, length=0xFFFFFFFF))


def set_length(path: Path, keyword_bytes: bytes, length: int) -> None:
    """Overwrites the 16-bit length of the first element whose tag is `keyword_bytes`."""
    content = bytearray(path.read_bytes())
    position = content.index(keyword_bytes, 144)
    struct.pack_into("<H", content, position + 6, length)
    path.write_bytes(content)


def _set(**fields: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        edit(path, lambda dataset: [setattr(dataset, keyword, value) for keyword, value in fields.items()])

    return change


def _drop(keyword: str) -> Callable[[Path], None]:
    return lambda path: edit(path, lambda dataset: delattr(dataset, keyword))


def _many_items(count: int) -> bytes:
    items = struct.pack("<2HL", 0xFFFE, 0xE000, 0) * count
    return explicit(0x0008, 0x1140, b"SQ", items)


def _longer_than_its_item(path: Path) -> None:
    inside = explicit(0x0008, 0x1155, b"UI", b"1.2.3.", length=60)
    item = struct.pack("<2HL", 0xFFFE, 0xE000, len(inside)) + inside
    insert(path, explicit(0x0008, 0x1140, b"SQ", item))


def _implicit_nested(path: Path) -> None:
    content = b""
    for _ in range(300):
        item = struct.pack("<2HL", 0xFFFE, 0xE000, len(content)) + content
        content = struct.pack("<2HL", 0x0008, 0x1140, len(item)) + item
    edit(path, lambda dataset: dataset.file_meta.__setattr__("TransferSyntaxUID", ImplicitVRLittleEndian))
    first, plain = parts(path)
    position = plain.index(struct.pack("<2H", 0x0010, 0x0010))
    path.write_bytes(first + plain[:position] + content + plain[position:])


def _unknown_nested(path: Path) -> None:
    """Sequences of undefined length whose type is given as unknown."""
    content = nested(300, defined=False).replace(b"SQ\0\0", b"UN\0\0")
    insert(path, content)


def _utf_8_as_latin(path: Path) -> None:
    edit(path, lambda dataset: delattr(dataset, "StudyDescription"))
    edit(path, lambda dataset: setattr(dataset, "SpecificCharacterSet", "ISO_IR 100"))
    description = explicit(0x0008, 0x1030, b"LO", "Knöchel".encode())
    insert(path, description, before=struct.pack("<2H", 0x0008, 0x103E))


def _relabel(syntax: str) -> Callable[[Path], None]:
    """Another transfer syntax over the same bytes."""

    def change(path: Path) -> None:
        content = path.read_bytes()
        old = b"1.2.840.10008.1.2.1\0"
        assert old in content
        path.write_bytes(content.replace(old, syntax.encode().ljust(20, b"\0"), 1))

    return change


REFUSED_DICOM: dict[str, tuple[str, Callable[[Path], object]]] = {
    "26-other-bytes": ("dicom-unreadable", lambda path: path.write_bytes(bytes(range(256)) * 2)),
    "26-text-behind-magic": ("dicom-unreadable", lambda path: path.write_bytes(bytes(128) + b"DICM" + b"text " * 99)),
    "28-deflated-bomb": ("inflation-ratio", lambda path: deflate(path, zeros=800 << 20)),
    "29-depth-101": ("dicom-nesting", lambda path: insert(path, nested(101, defined=True))),
    "29-depth-2000": ("dicom-nesting", lambda path: insert(path, nested(2000, defined=True))),
    "29-depth-2000-undefined": ("dicom-nesting", lambda path: insert(path, nested(2000, defined=False))),
    "29-depth-300-implicit": ("dicom-nesting", _implicit_nested),
    "29-depth-300-unknown": ("dicom-nesting", _unknown_nested),
    "29-items": ("dicom-items", lambda path: insert(path, _many_items(100_001))),
    "30-no-length": (
        "dicom-length",
        lambda path: insert(path, explicit(0x0010, 0x0001, b"UT", b"", length=0xFFFFFFFF)),
    ),
    "30-longer-than-its-item": ("dicom-length", _longer_than_its_item),
    "30-longer-than-the-file": (
        "dicom-unreadable",
        lambda path: insert(path, explicit(0x0010, 0x0001, b"UT", b"", length=0xFFFFFFFE)),
    ),
    "30-cut-off": ("dicom-unreadable", lambda path: path.write_bytes(path.read_bytes()[:-1])),
    "31-no-instance-uid": ("dicom-no-instance-uid", _drop("SOPInstanceUID")),
    "32-path-as-uid": ("dicom-uid", _set(SOPInstanceUID="../../etc/passwd")),
    "35-fewer-pixels": ("dicom-pixels-differ", _set(PixelData=bytes(100))),
    "35-many-more-pixels": ("dicom-pixels-differ", _set(PixelData=bytes(1000))),
    "35-rows-lie": ("dicom-pixels-differ", _set(Rows=5000)),
    "35-frames-lie": ("dicom-pixels-differ", _set(NumberOfFrames="40")),
    "35-offset-table": (
        "dicom-offset-table",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([JPEG], table=struct.pack("<L", 900))),
    ),
    "35-offset-table-of-two": (
        "dicom-offset-table",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([JPEG], table=struct.pack("<2L", 0, 8))),
    ),
    "35-other-size": (
        "dicom-pixels-differ",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([JPEG.replace(b"\0\x0a", b"\xff\x0a")])),
    ),
    "35-no-end": (
        "dicom-unreadable",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([JPEG])[:-8]),
    ),
    "36-unsupported": (
        "dicom-transfer-syntax",
        lambda path: set_encapsulated(path, MPEG4, encapsulated([b"\0\0\0\x01"])),
    ),
    "36-says-compressed": ("dicom-transfer-syntax-differs", _relabel(RLELossless)),
    "36-says-implicit": ("dicom-transfer-syntax-differs", _relabel(ImplicitVRLittleEndian)),
    "36-says-big-endian": ("dicom-unreadable", _relabel(ExplicitVRBigEndian)),
    "36-says-native": (
        "dicom-transfer-syntax-differs",
        lambda path: set_encapsulated(path, "1.2.840.10008.1.2.1", encapsulated([JPEG])),
    ),
    "36-says-jpeg-2000": (
        "dicom-transfer-syntax-differs",
        lambda path: set_encapsulated(path, JPEG2000Lossless, encapsulated([JPEG])),
    ),
    "36-says-jpeg-ls": (
        "dicom-transfer-syntax-differs",
        lambda path: set_encapsulated(path, JPEGLSLossless, encapsulated([JPEG])),
    ),
    "36-other-bytes": (
        "dicom-transfer-syntax-differs",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([b"GIF89a" * 20])),
    ),
}
"""Name (which begins with the number in the list of bad inputs) to code and how to spoil a good file."""

NAMED_DICOM: dict[str, tuple[str, Callable[[Path], object]]] = {
    "27-program": ("dicom-preamble", lambda path: replace_preamble(path, b"MZ\x90\0")),
    "27-elf": ("dicom-preamble", lambda path: replace_preamble(path, b"\x7fELF")),
    "27-script": ("dicom-preamble", lambda path: replace_preamble(path, b"#!/bin/sh\n")),
    "27-pdf": ("dicom-preamble", lambda path: replace_preamble(path, b"%PDF-1.7")),
    "27-zip": ("dicom-preamble", lambda path: replace_preamble(path, b"PK\x03\x04")),
    "30-odd-length": (
        "dicom-odd-length",
        lambda path: insert(path, explicit(0x0010, 0x0001, b"LO", b"odd")),
    ),
    "31-no-frame-of-reference": ("dicom-no-frame-of-reference", _drop("FrameOfReferenceUID")),
    "32-long-uid": ("dicom-uid", _set(SeriesInstanceUID="1." + "2" * 70)),
    "32-letters": ("dicom-uid", _set(StudyInstanceUID="study^one")),
    "35-padded-pixels": ("dicom-pixels-padded", _set(PixelData=bytes(160 + 128))),
    "39-utf-8-as-latin": ("dicom-character-set", _utf_8_as_latin),
    "39-no-such-set": ("dicom-character-set", _set(SpecificCharacterSet="ISO_IR 999")),
}
"""Files that can be used, with the code of their finding."""

"""Archives as nobody should pack them: bad inputs 44, 45 and 48, each with the code that must name it."""

import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial

from datasets.archives.budget import DEFAULT_ARCHIVE_BUDGET

Content = bytes
ENTRIES_LIMIT = DEFAULT_ARCHIVE_BUDGET.entries

SOUND = {"set/imagesTr/a_0000.nii.gz": b"image" * 100, "set/labelsTr/a.nii.gz": b"label", "set/dataset.json": b"{}"}


def zipped(files: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> Content:
    """A ZIP of files by their names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(_entry(name, compression), content)
    return packed.getvalue()


def tarred(files: dict[str, bytes], *, mode: str = "w") -> Content:
    """A tar of files by their names."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("x")
    entry.filename = entry.orig_filename = name  # as written, without what `zipfile` makes of a NUL or a backslash
    entry.compress_type = compression
    return entry


def _zip_of_kind(kind: int) -> Content:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = _entry("set/a.nii.gz", zipfile.ZIP_STORED)
        entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(entry, b"/etc/passwd")
    return packed.getvalue()


def _tar_of_kind(kind: bytes, *, then: bytes = b"") -> Content:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("set/a")
        entry.type, entry.linkname = kind, "/etc"
        archive.addfile(entry)
        if then:  # a file that would be written through the link
            inner = tarfile.TarInfo("set/a/passwd")
            inner.size = len(then)
            archive.addfile(inner, io.BytesIO(then))
    return packed.getvalue()


def _encrypted() -> Content:
    content = bytearray(zipped(SOUND))
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(magic) + place] |= 1
    return bytes(content)


def _list_entry(name: bytes, *, size: int, compressed: int, crc: int, offset: int) -> bytes:
    return (
        struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0x21, crc, compressed, size, len(name), 0, 0, 0, 0, 0, offset
        )
        + name
    )


def _end(count: int, size: int, offset: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, offset, 0)


def _overlapping() -> Content:
    """Fifty names for one block of bytes."""
    zeros = bytes(1 << 20)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = engine.compress(zeros) + engine.flush()
    crc = zlib.crc32(zeros)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0x21, crc, len(packed), len(zeros), 2, 0) + b"00"
    listed = b"".join(
        _list_entry(b"%02d" % number, size=len(zeros), compressed=len(packed), crc=crc, offset=0)
        for number in range(50)
    )
    return local + packed + listed + _end(50, len(listed), len(local) + len(packed))


def _many_entries() -> Content:
    """A list of more entries than allowed, whose end admits to one."""
    listed = _list_entry(b"a", size=0, compressed=0, crc=0, offset=0) * (ENTRIES_LIMIT + 1)
    return b"PK\x03\x04" + bytes(27) + listed + _end(1, len(listed), 31)


def _bomb() -> Content:
    """5 MiB of zeros, a thousandth of that when packed."""
    return zipped({"set/a.nii": bytes(5 << 20)})


def _lie() -> Content:
    """A file that holds more than it declares."""
    content = bytearray(zipped({"set/a.nii": bytes(1000)}))
    struct.pack_into("<L", content, content.find(b"PK\x03\x04") + 22, 10)
    struct.pack_into("<L", content, content.find(b"PK\x01\x02") + 24, 10)
    return bytes(content)


def _flipped() -> Content:
    content = bytearray(zipped({"set/a.nii": b"voxels" * 50}, compression=zipfile.ZIP_STORED))
    content[content.find(b"voxels") + 7] ^= 1
    return bytes(content)


def _sparse() -> Content:
    """A tar entry of one block that says it has 8 TiB (the format of GNU tar 1.12)."""
    entry = tarfile.TarInfo("set/a.nii")
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:398], header[398:410] = b"00000000000\0", b"00000000000\0"
    header[483:495] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


def _long_name() -> Content:
    """A header that says of the next file that its name has a gigabyte."""
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    return entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def _gzip_bomb() -> Content:
    return tarred({"set/a.nii": bytes(5 << 20)}, mode="w:gz")


def _named(*names: str) -> Callable[[], Content]:
    return partial(zipped, {name: b"%d" % number for number, name in enumerate(names)})


def _in_tar(*names: str) -> Callable[[], Content]:
    return partial(tarred, {name: b"%d" % number for number, name in enumerate(names)})


OUTSIDE, NAME, ALIKE = "archive-path-outside", "archive-name", "archive-names-alike"

BAD_ARCHIVES: dict[str, tuple[str, Callable[[], Content]]] = {
    "44-zip-slip": (OUTSIDE, _named("set/../../outside.nii.gz")),
    "44-zip-slip-backwards": (OUTSIDE, _named("set\\..\\..\\outside.nii.gz")),
    "44-tar-slip": (OUTSIDE, _in_tar("set/../../outside.nii.gz")),
    "44-absolute": (OUTSIDE, _named("/etc/cron.d/job")),
    "44-tar-absolute": (OUTSIDE, _in_tar("/etc/cron.d/job")),
    "44-drive-letter": (OUTSIDE, _named("C:/Windows/a.nii")),
    "44-home": (OUTSIDE, _named("~/.ssh/authorized_keys")),
    "44-zip-symlink": ("archive-link", partial(_zip_of_kind, stat.S_IFLNK)),
    "44-zip-device": ("archive-link", partial(_zip_of_kind, stat.S_IFCHR)),
    "44-tar-symlink-written-through": ("archive-link", partial(_tar_of_kind, tarfile.SYMTYPE, then=b"root")),
    "44-tar-hard-link": ("archive-link", partial(_tar_of_kind, tarfile.LNKTYPE)),
    "44-tar-device": ("archive-link", partial(_tar_of_kind, tarfile.BLKTYPE)),
    "44-tar-pipe": ("archive-link", partial(_tar_of_kind, tarfile.FIFOTYPE)),
    "45-overlapping": ("archive-overlap", _overlapping),
    "45-half-a-million-entries": ("archive-entries", _many_entries),
    "45-encrypted": ("archive-encrypted", _encrypted),
    "45-bomb": ("archive-ratio", _bomb),
    "45-tar-bomb": ("inflation-ratio", _gzip_bomb),
    "45-holds-more-than-it-says": ("archive-damaged", _lie),
    "45-sparse": ("archive-sparse", _sparse),
    "45-gigabyte-of-a-name": ("archive-damaged", _long_name),
    "45-lzma": ("archive-compression", partial(zipped, SOUND, compression=zipfile.ZIP_LZMA)),
    "45-flipped-bit": ("archive-damaged", _flipped),
    "45-truncated-zip": ("archive-damaged", lambda: zipped(SOUND)[:-60]),
    "45-truncated-tar": ("archive-damaged", lambda: tarred(SOUND)[:1024]),
    "45-truncated-tar-in-a-file": ("archive-damaged", lambda: tarred(SOUND)[:700]),
    "45-truncated-gzip": ("compressed-truncated", lambda: tarred(SOUND, mode="w:gz")[:-20]),
    "45-broken-gzip-checksum": ("compressed-crc", lambda: tarred(SOUND, mode="w:gz")[:-8] + bytes(8)),
    "45-xz": ("archive-kind", lambda: lzma.compress(tarred(SOUND))),
    "45-no-archive": ("archive-kind", lambda: b"a text"),
    "48-nul": (NAME, _named("set/a\0.nii.gz")),
    "48-newline": (NAME, _named("set/a\n.nii.gz")),
    "48-tar-newline": (NAME, _in_tar("set/a\n.nii.gz")),
    "48-256-bytes": (NAME, _named("set/" + "a" * 250 + ".nii.gz")),
    "48-deep": (NAME, _named("a/" * 70 + "a.nii")),
    "48-direction-override": (NAME, _named("set/a\u202egz.iin.nii.gz")),
    "48-device-name": (NAME, _named("set/CON.nii.gz")),
    "48-device-name-small": (NAME, _named("set/lpt1")),
    "48-trailing-dot": (NAME, _named("set/a.")),
    "48-trailing-blank": (NAME, _named("set/a ")),
    "48-colon": (NAME, _named("set/a.nii:stream")),
    "48-backslash": (NAME, _named("set\\a.nii.gz")),
    "48-capitals": (ALIKE, _named("set/Case_1.nii.gz", "set/case_1.nii.gz")),
    "48-capitals-of-a-folder": (ALIKE, _named("Set/a/b", "set/A")),
    "48-composed": (ALIKE, _named("set/M\u00fcller.nii.gz", "set/Mu\u0308ller.nii.gz")),
    "48-tar-composed": (ALIKE, _in_tar("set/M\u00fcller.nii.gz", "set/Mu\u0308ller.nii.gz")),
    "48-twice": (ALIKE, _in_tar("set/a.nii.gz", "./set//a.nii.gz")),
    "48-file-and-folder": (ALIKE, _named("set/a", "set/a/b")),
}

"""The headers of NRRD and MetaImage files: text that describes the voxels behind it, or in a file beside it.

Both are read by Maskloop itself, so that the sizes and the file name that were checked are those that are then used;
two readers of one header may understand it differently. Only single 3D volumes of numbers in millimetres pass.

Sources: the NRRD file format (teem.sourceforge.net/nrrd/format.html); the MetaIO documentation (itk.org/Wiki/MetaIO).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.plausible_geometry import geometry_faults
from datasets.image.volume import Affine, Grid

MOST_HEADER_BYTES = 1 << 20
"""1 MiB: headers hold a few hundred bytes, with many segments' names a few thousand."""

_EXPORT = "Save it again as one 3D volume, uncompressed or gzipped, or as NIfTI."

_NRRD_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
_META_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_SPACES = {
    **dict.fromkeys(("right-anterior-superior", "ras"), (1.0, 1.0, 1.0)),
    **dict.fromkeys(("left-anterior-superior", "las"), (-1.0, 1.0, 1.0)),
    **dict.fromkeys(("left-posterior-superior", "lps"), (-1.0, -1.0, 1.0)),
}
_META_SPACE = np.array([-1.0, -1.0, 1.0])
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class ItkHeader:
    """How and where voxels are stored, by a header.

    Args:
        grid: Where they lie.
        dtype: As stored, byte order included.
        encoding: ``raw``, ``gzip``, or ``zlib``.
        data_file: Name of the file with the voxels; empty where they follow the header.
        skip: Bytes to pass over before them, after decompression.
        compressed_bytes: How many compressed bytes there are; None where the header does not say.
    """

    grid: Grid
    dtype: np.dtype[Any]
    encoding: str
    data_file: str
    skip: int
    compressed_bytes: int | None = None

    @property
    def data_bytes(self) -> int:
        """Bytes of all voxels as stored."""
        return math.prod(self.grid.shape) * self.dtype.itemsize


def read_nrrd_header(stream: BinaryIO) -> ItkHeader:
    """Reads a NRRD header up to the voxels.

    Raises:
        RejectedInput: ``itk-unreadable``, ``itk-not-3d``, ``itk-type``, ``itk-no-geometry``, ``itk-units``,
            ``itk-spacing-range``, ``itk-origin-far``, ``itk-encoding`` or ``itk-many-files``.
        GeometryError: Its geometry is no grid.
    """
    fields = _nrrd_fields(stream)
    _refuse_other_nrrd(fields)
    dtype = _dtype(_NRRD_TYPES, fields.get("type", "").lower(), is_big=fields.get("endian", "").lower() == "big")
    if dtype.itemsize > 1 and "endian" not in fields:
        raise _unreadable("it gives no byte order")
    encoding = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}.get(fields.get("encoding", "").lower())
    data_file = fields.get("data file", fields.get("datafile", ""))
    if encoding is None or fields.get("line skip", fields.get("lineskip", "0")) != "0":
        raise _refusal("itk-encoding", "The voxels are not raw or gzipped right behind the header.")
    if data_file.upper().startswith("LIST") or "%" in data_file:
        raise _refusal("itk-many-files", "The voxels lie in several files.")
    return ItkHeader(
        grid=_nrrd_grid(fields),
        dtype=dtype,
        encoding=encoding,
        data_file=data_file,
        skip=_whole_number(fields.get("byte skip", fields.get("byteskip", "0"))),
    )


def read_meta_header(stream: BinaryIO) -> ItkHeader:
    """Reads a MetaImage header up to the voxels.

    Raises:
        RejectedInput: As `read_nrrd_header`.
        GeometryError: Its geometry is no grid.
    """
    fields = _meta_fields(stream)
    if fields.get("ObjectType", "Image") != "Image" or fields.get("NDims") != "3":
        raise _refusal("itk-not-3d", f"Expected 3 dimensions, got {_counted(fields.get('NDims', ''))}.")
    if fields.get("ElementNumberOfChannels", "1") != "1":
        raise _refusal("itk-not-3d", "Each voxel has several numbers (a vector or colour image).")
    is_big = _first(fields, "BinaryDataByteOrderMSB", "ElementByteOrderMSB").lower() == "true"
    if fields.get("BinaryData", "True").lower() != "true":
        raise _refusal("itk-encoding", "The voxels are written as text.")
    is_compressed = fields.get("CompressedData", "False").lower() == "true"
    data_file = fields.get("ElementDataFile", "")
    if not data_file:
        raise _unreadable("it names no voxels")
    if data_file.upper().startswith("LIST") or "%" in data_file:
        raise _refusal("itk-many-files", "The voxels lie in several files.")
    size = fields.get("CompressedDataSize")
    return ItkHeader(
        grid=_meta_grid(fields),
        dtype=_dtype(_META_TYPES, fields.get("ElementType", ""), is_big=is_big),
        encoding="zlib" if is_compressed else "raw",
        data_file="" if data_file.upper() == "LOCAL" else data_file,
        skip=_whole_number(fields.get("HeaderSize", "0")),
        compressed_bytes=_whole_number(size) if size and is_compressed else None,
    )


def _nrrd_fields(stream: BinaryIO) -> dict[str, str]:
    """Fields by lower-case name; comments and key/value pairs, which are free text, are ignored."""
    if not re.fullmatch(rb"NRRD000[1-5]\r?\n", stream.readline(16)):
        raise _unreadable("it has no NRRD signature")
    fields: dict[str, str] = {}
    while line := _line(stream):
        name, colon, value = line.partition(": ")
        if line.startswith("#") or ":=" in line:
            continue
        if not colon:
            raise _unreadable("a line is no field")
        _add(fields, name.strip().lower(), value.strip())
    return fields


def _meta_fields(stream: BinaryIO) -> dict[str, str]:
    """Fields by name up to ``ElementDataFile``, which is the last."""
    fields: dict[str, str] = {}
    while "ElementDataFile" not in fields and (line := _line(stream)):
        name, equals, value = line.partition("=")
        if not equals:
            raise _unreadable("a line is no field")
        _add(fields, name.strip(), value.strip())
    return fields


def _add(fields: dict[str, str], name: str, value: str) -> None:
    if name in fields:
        raise _unreadable("a field stands twice")
    fields[name] = value


def _line(stream: BinaryIO) -> str:
    """The next line without its end; empty at an empty line or at the end of the file."""
    line = stream.readline(MOST_HEADER_BYTES)
    if stream.tell() > MOST_HEADER_BYTES:
        raise _unreadable("it is too long")
    return line.decode("latin-1").rstrip("\r\n")


def _refuse_other_nrrd(fields: Mapping[str, str]) -> None:
    if fields.get("dimension") != "3":
        raise _refusal("itk-not-3d", f"Expected 3 dimensions, got {_counted(fields.get('dimension', ''))}.")
    kinds = fields.get("kinds", "").lower().split()
    if any(kind not in ("domain", "space", "none", "???") for kind in kinds):
        raise _refusal("itk-not-3d", "An axis does not run through space (a vector or colour image).")
    units = re.findall(r'"([^"]*)"', fields.get("space units", ""))
    if any(unit.lower() not in ("mm", "millimeter", "millimetre", "millimeters", "") for unit in units):
        raise _refusal("itk-units", "The lengths are not in millimetres.")


def _nrrd_grid(fields: Mapping[str, str]) -> Grid:
    signs = _SPACES.get(fields.get("space", "").lower())
    vectors = re.findall(r"\(([^()]*)\)", fields.get("space directions", ""))
    origin = re.findall(r"\(([^()]*)\)", fields.get("space origin", ""))
    if signs is None or len(vectors) != 3 or len(origin) != 1:
        raise _no_geometry("`space`, `space directions` and `space origin`")
    axes = np.array([_numbers(vector, separator=",") for vector in vectors]).T
    return _grid(_sizes(fields.get("sizes", "")), axes, _numbers(origin[0], separator=","), signs=np.array(signs))


def _meta_grid(fields: Mapping[str, str]) -> Grid:
    direction = _first(fields, "TransformMatrix", "Rotation", "Orientation")
    origin = _first(fields, "Offset", "Position", "Origin")
    spacing = _first(fields, "ElementSpacing", "ElementSize")
    if not direction or not origin or not spacing:
        raise _no_geometry("`TransformMatrix`, `Offset` and `ElementSpacing`")
    axes = _numbers(direction, count=9).reshape(3, 3).T * _numbers(spacing)  # the file has the axes one by one
    return _grid(_sizes(fields.get("DimSize", "")), axes, _numbers(origin), signs=_META_SPACE)


def _grid(
    sizes: tuple[int, int, int], axes: NDArray[np.float64], origin: NDArray[np.float64], *, signs: NDArray[np.float64]
) -> Grid:
    affine: Affine = np.eye(4)
    affine[:3, :3] = axes * signs[:, None]
    affine[:3, 3] = origin * signs
    grid = Grid(sizes, affine)
    for code, message in geometry_faults(grid.spacing, origin):
        raise RejectedInput(f"itk-{code}", message, remedy="Check the unit of length, and save the volume again.")
    return grid


def _sizes(text: str) -> tuple[int, int, int]:
    sizes = [_whole_number(size) for size in text.split()]
    if len(sizes) != 3 or min(sizes) < 1:
        raise _unreadable("its sizes are not three positive numbers")
    return sizes[0], sizes[1], sizes[2]


def _numbers(text: str, *, count: int = 3, separator: str | None = None) -> NDArray[np.float64]:
    words = [word.strip() for word in text.split(separator)]
    if len(words) != count or not all(_NUMBER.fullmatch(word) for word in words):
        raise _unreadable("its geometry is not numbers")
    return np.array([float(word) for word in words])


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text):
        raise _unreadable("a size or an offset is no whole number")
    return int(text)


def _dtype(types: Mapping[str, str], name: str, *, is_big: bool) -> np.dtype[Any]:
    if name not in types:
        raise _refusal("itk-type", "The voxels are neither whole nor real numbers.")
    return np.dtype((">" if is_big else "<") + types[name])


def _first(fields: Mapping[str, str], *names: str) -> str:
    return next((fields[name] for name in names if name in fields), "")


def _counted(text: str) -> str:
    return text if re.fullmatch(r"\d{1,2}", text) else "an unknown number"


def _refusal(code: str, message: str) -> RejectedInput:
    return RejectedInput(code, message, remedy=_EXPORT)


def _unreadable(fault: str) -> RejectedInput:
    return RejectedInput("itk-unreadable", f"The NRRD or MetaImage header is damaged: {fault}.", remedy=_EXPORT)


def _no_geometry(needed: str) -> RejectedInput:
    return RejectedInput(
        "itk-no-geometry",
        f"The header does not say where the voxels lie in the patient; it needs {needed}.",
        remedy="Save the volume again with its orientation, from the tool that knows it.",
    )

"""Reads a NIfTI file's header before any voxel, and checks its plausibility by small functions.

Every check yields findings (after nibabel's batteries): an error keeps the file out, a warning is for a person to look
at. No text of the header is ever quoted.

Source: NIfTI-1 data format, nifti1.h (2007-09-11); NIfTI-2, nifti2.h.
"""

import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.image.plausible_geometry import geometry_faults
from datasets.image.volume import SHEAR_TOLERANCE, Affine
from datasets.inflating import Bytes

SFORM_QFORM_TOLERANCE_MM = 0.2
"""How far the two transforms may put a corner voxel apart: float32 quaternions lose up to 0.12 mm over 500 mm, and half
a pixel of a sharp image is 0.2 mm."""

SPACING_TOLERANCE = 0.01
"""Largest relative difference between the voxel sizes in `pixdim` and in the affine."""

_SINGULAR = 1e-6
_KINDS = {348: Nifti1Header, 540: Nifti2Header}
_STORED_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_COMPLEX = frozenset({32, 1792, 2048})
_COLOUR = frozenset({128, 2304})
_METRES, _MICRONS = 1, 3
_EXPORT = "Export the volume again, as one 3D image of numbers with its geometry."
_SOFTWARE_TEXT = re.compile(
    r"^(fsl|spm|itk|simpleitk|ants|elastix|nibabel|dcm2nii|mricro|freesurfer|afni|slicer|TE=)", re.IGNORECASE
)
_TEXT_EXTENSIONS = frozenset({2, 4, 6, 32, 40})


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """The header of a single-file NIfTI image, as it stands there.

    Args:
        fields: nibabel's header, unchecked.
        extender: The four bytes behind it; the first says whether extensions follow.
        channel: Which of the volumes along the fourth dimension is wanted, from 0; None for a file of one volume.
    """

    fields: Any
    extender: bytes
    channel: int | None = None

    @property
    def size(self) -> int:
        """Bytes of header and extender."""
        return int(self.fields["sizeof_hdr"]) + 4

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Voxels along each dimension that the header counts, trailing ones of 1 left out beyond the third; of one
        channel where one is wanted."""
        sizes = self._all_sizes
        return sizes[:3] if self.channel is not None and len(sizes) == 4 else sizes

    @property
    def channels(self) -> int:
        """How many volumes lie along the fourth dimension."""
        return math.prod(self._all_sizes[3:])

    @cached_property
    def _all_sizes(self) -> tuple[int, ...]:
        dim = [int(value) for value in self.fields["dim"]]
        sizes = dim[1 : dim[0] + 1]
        while len(sizes) > 3 and sizes[-1] == 1:
            sizes.pop()
        return tuple(sizes)

    @property
    def stored_type(self) -> np.dtype[Any]:
        """Type of a voxel in the file, in the file's byte order."""
        return np.dtype(_STORED_TYPES[int(self.fields["datatype"])]).newbyteorder(self.fields.endianness)

    @property
    def voxel_bytes(self) -> int:
        """Bytes of all voxels as stored."""
        return math.prod(self.sizes) * self.stored_type.itemsize

    @property
    def declared_bytes(self) -> int:
        """Bytes of all voxels as stored or as float32, whichever is more."""
        return math.prod(self.sizes) * max(self.stored_type.itemsize, 4)

    @property
    def voxel_offset(self) -> int:
        """Byte of the file at which the voxels begin."""
        return int(self.fields["vox_offset"])

    @property
    def scaling(self) -> tuple[float, float]:
        """Slope and intercept; (1, 0) where the slope is 0 or not a number, which both mean that there is none."""
        slope, intercept = float(self.fields["scl_slope"]), float(self.fields["scl_inter"])
        return (slope, intercept) if slope and not math.isnan(slope) else (1.0, 0.0)

    @cached_property
    def affine(self) -> Affine:
        """(4, 4), voxel index to RAS+ millimetres: the sform, or else the qform, or else from the spacing alone."""
        return np.array(self.fields.get_best_affine(), dtype=np.float64)


def parse_header(start: Bytes, *, channel: int | None = None) -> NiftiHeader:
    """Reads the header from the first bytes of a file.

    Args:
        start: The file's bytes from the first on.
        channel: As of `NiftiHeader`.

    Raises:
        RejectedInput: ``nifti-unreadable``, ``nifti-truncated`` or ``nifti-pair``.
    """
    first = start.read(4)
    order, length = _order_and_length(first)
    block = first + start.read(length)
    if len(block) < length + 4:
        raise RejectedInput(
            "nifti-truncated",
            f"Expected a header of {length + 4} bytes, got {len(block)}.",
            remedy="Export or copy the file again.",
        )
    header = _KINDS[length](block[:length], endianness=order, check=False)
    if not bytes(header["magic"].tobytes()).startswith((b"n+1", b"n+2")):
        raise RejectedInput(
            "nifti-pair",
            "The header is of another kind of file (ANALYZE, or an .hdr), whose voxels lie in a second file.",
            remedy="Convert the image to a single .nii.gz file.",
        )
    return NiftiHeader(header, block[length:], channel)


def _order_and_length(first: bytes) -> tuple[str, int]:
    """Byte order and length of the header, which its first four bytes are."""
    for order, length in product("<>", _KINDS):
        if first == struct.pack(f"{order}i", length):
            return order, length
    raise RejectedInput(
        "nifti-unreadable",
        "The file does not begin with a NIfTI header.",
        remedy="Export or copy the file again; a DICOM series has to be converted to NIfTI first.",
    )


def check_header(header: NiftiHeader) -> Iterator[Finding]:
    """All findings about a header, up to the first error, since each check builds on those before it.

    Yields:
        Errors: ``nifti-dimensions``, ``nifti-size``, ``nifti-channel``, ``nifti-not-3d``, ``nifti-one-line``,
        ``nifti-complex``, ``nifti-colour``, ``nifti-type``, ``nifti-offset``, ``nifti-slope``, ``nifti-units``,
        ``nifti-spacing``, ``nifti-affine``, ``nifti-spacing-range``, ``nifti-origin-far``, ``nifti-affine-singular``,
        ``nifti-sheared``, ``nifti-two-places``. Warnings:
        ``nifti-single-slice``, ``nifti-no-orientation``, ``nifti-spacing-differs``, ``nifti-scaling-ignored``. For
        information: ``nifti-units-unknown``, ``nifti-free-text``.
    """
    for check in _CHECKS:
        for finding in check(header):
            yield finding
            if finding.level is Level.ERROR:
                return


def check_extensions(header: NiftiHeader, between: bytes) -> Iterator[Finding]:
    """The extensions between header and voxels: their sizes must add up, and text in them may name a person.

    Args:
        header: Of the file.
        between: The bytes from the header's end to the voxels.

    Yields:
        ``nifti-extension`` (error) or ``nifti-extension-text`` (warning).
    """
    if not header.extender[0]:
        return
    position = 0
    has_text = False
    while position + 8 <= len(between):
        size, code = struct.unpack_from(f"{header.fields.endianness}2i", between, position)
        if size < 16 or size % 16 or position + size > len(between):
            yield _error(
                "nifti-extension",
                f"Expected a header extension of a multiple of 16 bytes within {len(between) - position}, got {size}.",
            )
            return
        has_text = has_text or code in _TEXT_EXTENSIONS
        position += size
    if has_text:
        message = "A header extension holds text, which may name a person; it is never copied."
        yield Finding(Level.WARNING, "nifti-extension-text", message, "Check the file itself before you pass it on.")


def _dimensions(header: NiftiHeader) -> Iterator[Finding]:
    count = int(header.fields["dim"][0])
    if not 1 <= count <= 7:
        yield _error("nifti-dimensions", f"Expected 1 to 7 dimensions, got {count}.")
    elif min(header.sizes) < 1:
        yield _error("nifti-size", f"Expected positive sizes, got {header.sizes}.")
    elif header.channel is not None and not header.channel < header.channels:
        message = f"Expected at least {header.channel + 1} channels along the fourth dimension, got {header.channels}."
        yield _error("nifti-channel", message, "Correct the list of channels, or export the image with all of them.")
    elif len(header.sizes) != 3:
        message = f"Expected one 3D volume, got {len(header.sizes)} dimensions of {header.sizes}."
        yield _error("nifti-not-3d", message, "Split the series into single volumes.")
    elif sum(size > 1 for size in header.sizes) < 2:
        yield _error("nifti-one-line", f"Expected a volume, got a single line of voxels {header.sizes}.")
    elif min(header.sizes) == 1:
        message = f"Expected a stack of slices, got a single slice {header.sizes}."
        yield Finding(Level.WARNING, "nifti-single-slice", message, "Check that the whole volume was exported.")


def _type(header: NiftiHeader) -> Iterator[Finding]:
    code = int(header.fields["datatype"])
    if code in _COMPLEX:
        message = "The voxels are complex numbers (magnitude and phase together)."
        yield _error("nifti-complex", message, "Export the magnitude image.")
    elif code in _COLOUR:
        message = "The voxels are colours, not grey values."
        yield _error("nifti-colour", message, "Choose the original series, not a coloured map or a screen capture.")
    elif code not in _STORED_TYPES:
        message = f"Expected integers of up to 64 bits or floats of 32 or 64, got NIfTI's type {code}."
        yield _error("nifti-type", message, "Save the volume as float32.")


def _offset(header: NiftiHeader) -> Iterator[Finding]:
    offset = float(header.fields["vox_offset"])
    if not (math.isfinite(offset) and offset == int(offset) and offset >= header.size):
        yield _error("nifti-offset", f"Expected voxels from byte {header.size} on or later, got byte {offset:g}.")


def _slope(header: NiftiHeader) -> Iterator[Finding]:
    """No slope (0, or nibabel's NaN) is ordinary; one that cannot be multiplied with is not."""
    slope, intercept = float(header.fields["scl_slope"]), float(header.fields["scl_inter"])
    is_absent = slope == 0 or math.isnan(slope)
    if math.isinf(slope) or (not is_absent and not math.isfinite(intercept)):
        yield _error("nifti-slope", f"Expected a finite slope and intercept, got {slope:g} and {intercept:g}.")
    elif is_absent and intercept and math.isfinite(intercept):
        message = f"The header has the intercept {intercept:g} without a slope; voxels are taken as they are stored."
        yield Finding(Level.WARNING, "nifti-scaling-ignored", message, "Check the volume's values.")


def _units(header: NiftiHeader) -> Iterator[Finding]:
    code = int(header.fields["xyzt_units"]) & 0x07
    if code in (_METRES, _MICRONS):
        found = "metres" if code == _METRES else "micrometres"
        yield _error("nifti-units", f"Expected millimetres, got {found}.", "Convert the volume's geometry to mm.")
    elif code == 0:
        message = "The header gives no unit of length; millimetres are assumed."
        yield Finding(Level.INFO, "nifti-units-unknown", message, "Nothing, if the volume's size is right.")


def _spacing(header: NiftiHeader) -> Iterator[Finding]:
    spacing = [float(value) for value in header.fields["pixdim"][1:4]]
    if not all(math.isfinite(value) and value > 0 for value in spacing):
        found = " x ".join(f"{value:g}" for value in spacing)
        yield _error("nifti-spacing", f"Expected positive voxel sizes in millimetres, got {found}.")


def _affine(header: NiftiHeader) -> Iterator[Finding]:
    try:
        axes = header.affine[:3, :3]
        is_finite = bool(np.isfinite(header.affine).all())
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):
        is_finite = False
    if not is_finite:
        yield _error("nifti-affine", "The affine has entries that are not finite numbers.")
        return
    lengths = np.linalg.norm(axes, axis=0)
    if lengths.all() and (faults := list(geometry_faults(lengths, header.affine[:3, 3]))):
        code, message = faults[0]
        yield _error(f"nifti-{code}", message, "Check the unit of length, and export the volume again.")
    elif not lengths.all() or abs(np.linalg.det(axes / lengths)) < _SINGULAR or abs(np.linalg.det(axes)) < 1e-9:
        yield _error("nifti-affine-singular", "The affine is flat: its three axes are not independent.")
    else:
        yield from _angles(header, axes, lengths)


def _angles(header: NiftiHeader, axes: NDArray[np.float64], lengths: NDArray[np.float64]) -> Iterator[Finding]:
    """Whether three independent axes stand at right angles, and are as long as the header says."""
    cosines = (axes / lengths).T @ (axes / lengths) - np.eye(3)
    if np.abs(cosines).max() > SHEAR_TOLERANCE:
        degrees = math.degrees(math.asin(min(1.0, float(np.abs(cosines).max()))))
        message = f"The axes are up to {degrees:.2f} degrees off right angles."
        yield _error("nifti-sheared", message, "Resample the volume onto a grid without shear (gantry tilt corrected).")
    elif np.abs(lengths / header.fields["pixdim"][1:4] - 1).max() > SPACING_TOLERANCE:
        found = " x ".join(f"{value:.4g}" for value in lengths)
        message = f"Expected the affine to have the header's voxel sizes, got {found} mm; the affine is used."
        yield Finding(Level.WARNING, "nifti-spacing-differs", message, "Check the volume's size.")


def _places(header: NiftiHeader) -> Iterator[Finding]:
    if int(header.fields["sform_code"]) <= 0 and int(header.fields["qform_code"]) <= 0:
        message = "The header gives no orientation; left and right may be exchanged."
        yield Finding(Level.WARNING, "nifti-no-orientation", message, "Export the volume again with its geometry.")
        return
    if int(header.fields["sform_code"]) <= 0 or int(header.fields["qform_code"]) <= 0:
        return
    distance = _corner_distance(header)
    if not distance <= SFORM_QFORM_TOLERANCE_MM:
        yield _error(
            "nifti-two-places",
            f"The header's two transforms differ: sform and qform put a voxel {distance:.3g} mm apart (allowed: "
            f"{SFORM_QFORM_TOLERANCE_MM} mm), and programs would show the image in different places.",
            "Decide which of the two is right, and save the volume with that one as both.",
        )


def _corner_distance(header: NiftiHeader) -> float:
    """Largest distance in millimetres between where sform and qform put a corner voxel; NaN where the qform is none."""
    try:
        qform = np.array(header.fields.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):
        return math.nan
    corners = np.array([(*corner, 1) for corner in product(*[(0, size - 1) for size in header.sizes])])
    apart: NDArray[np.float64] = (corners @ (qform - header.affine).T)[:, :3]
    return float(np.linalg.norm(apart, axis=1).max())


def _texts(header: NiftiHeader) -> Iterator[Finding]:
    names = ("descrip", "aux_file", "intent_name", "db_name")
    texts = [
        bytes(header.fields[name].tobytes()).split(b"\0")[0].decode("latin-1").strip()
        for name in names
        if name in header.fields
    ]
    if any(text and not _SOFTWARE_TEXT.match(text) for text in texts):
        message = "The header has free text in it, which is never copied."
        yield Finding(Level.INFO, "nifti-free-text", message, "Check the file itself before you pass it on.")


def _error(code: str, message: str, remedy: str = _EXPORT) -> Finding:
    return Finding(Level.ERROR, code, message, remedy)


_CHECKS: tuple[Callable[[NiftiHeader], Iterator[Finding]], ...] = (
    _dimensions,
    _type,
    _offset,
    _slope,
    _units,
    _spacing,
    _affine,
    _places,
    _texts,
)

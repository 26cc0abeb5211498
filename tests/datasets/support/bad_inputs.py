"""Bad NIfTI files: each is, in a few bytes, what the gate must refuse or name.

The numbers are those of a fixed list of bad inputs, so that a test can say which of them it covers.
"""

import gzip
import struct
from collections.abc import Callable

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Header

CANARY = "Canary^Nightingale"

SHAPE = (12, 10, 8)
AFFINE = np.diag([-1.0, -1.0, 4.0, 1.0])

Content = Callable[[], bytes]


def voxels(seed: int = 0) -> np.ndarray:
    """An image of (12, 10, 8) int16 voxels that is no constant."""
    return np.random.default_rng(seed).integers(1, 1000, size=SHAPE).astype(np.int16)


def nifti(data: np.ndarray | None = None, *, offset: int = 352, **fields: object) -> bytes:
    """An uncompressed NIfTI file of `data`, its header's fields overwritten as given."""
    image = nib.Nifti1Image(voxels() if data is None else data, AFFINE)
    image.header.set_xyzt_units("mm")
    image.set_sform(AFFINE, code=1)
    image.set_qform(AFFINE, code=1)
    content = image.to_bytes()
    header = Nifti1Header(content[:348], check=False)
    header["vox_offset"] = offset
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + bytes(4) + content[352:]


def gz(content: bytes) -> bytes:
    """As one gzip member."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def dim(*sizes: int, count: int | None = None) -> list[int]:
    """The eight numbers of NIfTI's `dim`."""
    padded = [*sizes, 1, 1, 1, 1, 1, 1, 1][:7]
    return [len(sizes) if count is None else count, *padded]


def zeros_gz(size: int, *, before: bytes = b"") -> bytes:
    """A gzip file of `before` and `size` zeros (a multiple of 16 MiB): members that are repeated, made in no time."""
    member = gz(bytes(1 << 24))
    return (gz(before) if before else b"") + member * (size >> 24)


def _with_extension(declared: int, content: bytes, *, code: int = 6) -> bytes:
    room = 8 + len(content) + (-(8 + len(content))) % 16
    plain = nifti(offset=352 + room)
    extension = struct.pack("<2i", declared or room, code) + content
    return plain[:348] + b"\1\0\0\0" + extension.ljust(room, b"\0") + plain[352:]


def _sform(change: Callable[[np.ndarray], None]) -> dict[str, np.ndarray]:
    affine = AFFINE.copy()
    change(affine)
    return {"srow_x": affine[0], "srow_y": affine[1], "srow_z": affine[2], "qform_code": 0}


def _put(row: int, column: int, value: float) -> Callable[[np.ndarray], None]:
    def change(affine: np.ndarray) -> None:
        affine[row, column] = value

    return change


def _broken(content: bytes, position: int) -> bytes:
    damaged = bytearray(content)
    damaged[position] ^= 1
    return bytes(damaged)


NAN, INF = float("nan"), float("inf")

REFUSED_NIFTI: dict[str, tuple[str, str, Content]] = {
    "1-empty": (".nii", "file-empty", lambda: b""),
    "1-empty-gz": (".nii.gz", "file-empty", lambda: b""),
    "2-32767-cubed": (".nii", "declared-too-large", lambda: nifti(dim=dim(32767, 32767, 32767))[:480]),
    "2-32767-cubed-gz": (".nii.gz", "declared-too-large", lambda: gz(nifti(dim=dim(32767, 32767, 32767))[:480])),
    "3-1200-cubed": (".nii", "declared-too-large", lambda: nifti(dim=dim(1200, 1200, 1200))[:480]),
    "3-600-cubed": (".nii", "nifti-truncated", lambda: nifti(dim=dim(600, 600, 600))[:480]),
    "3-600-cubed-gz": (".nii.gz", "inflation-ratio", lambda: gz(nifti(dim=dim(600, 600, 600))[:480])),
    "3-cut-off-gz": (".nii.gz", "nifti-truncated", lambda: gz(nifti()[:-1])),
    "4-zeros-as-declared": (
        ".nii.gz",
        "inflation-ratio",
        lambda: zeros_gz(31 << 24, before=nifti(dim=dim(800, 800, 800), datatype=2)[:352]),
    ),
    "4-zeros-behind": (".nii.gz", "nifti-trailing", lambda: zeros_gz(90 << 24, before=nifti())),
    "5-trailing-garbage": (".nii.gz", "compressed-trailing", lambda: gz(nifti()) + b"garbage"),
    "5-trailing-member": (".nii.gz", "nifti-trailing", lambda: gz(nifti()) + gz(b"garbage")),
    "5-trailing-inside": (".nii", "nifti-trailing", lambda: nifti() + b"garbage"),
    "6-truncated": (".nii.gz", "compressed-truncated", lambda: gz(nifti())[:-20]),
    "6-truncated-checksum": (".nii.gz", "compressed-truncated", lambda: gz(nifti())[:-1]),
    "7-crc": (".nii.gz", "compressed-crc", lambda: _broken(gz(nifti()), -8)),
    "7-length": (".nii.gz", "compressed-crc", lambda: _broken(gz(nifti()), -1)),
    "8-not-gzip": (".nii.gz", "nifti-not-gzip", nifti),
    "8-gzip-unsaid": (".nii", "nifti-not-gzip", lambda: gz(nifti())),
    "9-no-dimensions": (".nii", "nifti-dimensions", lambda: nifti(dim=dim(*SHAPE, count=0))),
    "9-eight-dimensions": (".nii", "nifti-dimensions", lambda: nifti(dim=dim(*SHAPE, count=8))),
    "10-negative-size": (".nii", "nifti-size", lambda: nifti(dim=dim(12, -10, 8))),
    "10-no-size": (".nii", "nifti-size", lambda: nifti(dim=dim(12, 0, 8))),
    "11-four-dimensions": (".nii", "nifti-not-3d", lambda: nifti(np.zeros((4, 3, 2, 2), np.int16))),
    "11-rgb": (".nii", "nifti-colour", lambda: nifti(datatype=128, bitpix=24)),
    "11-complex": (".nii", "nifti-complex", lambda: nifti(voxels().astype(np.complex64))),
    "11-complex-256": (".nii", "nifti-complex", lambda: nifti(datatype=2048, bitpix=256)),
    "11-float-128": (".nii", "nifti-type", lambda: nifti(datatype=1536, bitpix=128)),
    "11-no-such-type": (".nii", "nifti-type", lambda: nifti(datatype=4096)),
    "12-nan-spacing": (".nii", "nifti-spacing", lambda: nifti(pixdim=[1, NAN, 1, 4, 0, 0, 0, 0])),
    "12-no-spacing": (".nii", "nifti-spacing", lambda: nifti(pixdim=[1, 1, 0, 4, 0, 0, 0, 0])),
    "12-negative-spacing": (".nii", "nifti-spacing", lambda: nifti(pixdim=[1, 1, 1, -4, 0, 0, 0, 0])),
    "12-endless-spacing": (".nii", "nifti-spacing", lambda: nifti(pixdim=[1, 1, 1, INF, 0, 0, 0, 0])),
    "13-nan-sform": (".nii", "nifti-affine", lambda: nifti(**_sform(_put(0, 0, NAN)))),
    "13-endless-place": (".nii", "nifti-affine", lambda: nifti(**_sform(_put(2, 3, INF)))),
    "13-far-away": (".nii", "nifti-origin-far", lambda: nifti(**_sform(_put(0, 3, 1e30)))),
    "13-a-little-too-far": (".nii", "nifti-origin-far", lambda: nifti(**_sform(_put(1, 3, -1.01e5)))),
    "13-huge-voxels": (".nii", "nifti-spacing-range", lambda: nifti(**_sform(_put(1, 1, 1e10)))),
    "13-endless-lengths": (".nii", "nifti-spacing-range", lambda: nifti(**_sform(_put(1, 1, 3e38)))),
    "13-tiny-voxels": (".nii", "nifti-spacing-range", lambda: nifti(**_sform(_put(2, 2, 0.009)))),
    "13-singular": (".nii", "nifti-affine-singular", lambda: nifti(**_sform(_put(0, 0, 0.0)))),
    "13-parallel-axes": (".nii", "nifti-affine-singular", lambda: nifti(srow_y=[-1, 0, 0, 0], qform_code=0)),
    "13-sheared": (".nii", "nifti-sheared", lambda: nifti(**_sform(_put(0, 2, 0.4)))),
    "14-two-places": (".nii", "nifti-two-places", lambda: nifti(**{**_sform(_put(0, 3, 0.5)), "qform_code": 1})),
    "14-mirrored": (".nii", "nifti-two-places", lambda: nifti(**{**_sform(_put(0, 0, 1.0)), "qform_code": 1})),
    "14-no-rotation": (".nii", "nifti-two-places", lambda: nifti(quatern_b=NAN)),
    "15-endless-slope": (".nii", "nifti-slope", lambda: nifti(scl_slope=INF, scl_inter=0)),
    "15-endless-intercept": (".nii", "nifti-slope", lambda: nifti(scl_slope=2, scl_inter=-INF)),
    "15-no-intercept": (".nii", "nifti-slope", lambda: nifti(scl_slope=2, scl_inter=NAN)),
    "16-behind-the-end": (".nii", "nifti-offset", lambda: nifti(offset=5000)),
    "16-far-behind": (".nii", "nifti-offset", lambda: nifti(offset=10**9)),
    "16-far-behind-gz": (".nii.gz", "nifti-offset", lambda: gz(nifti(offset=10**9))),
    "16-nowhere": (".nii", "nifti-offset", lambda: nifti(vox_offset=NAN)),
    "16-never": (".nii", "nifti-offset", lambda: nifti(vox_offset=INF)),
    "16-in-the-header": (".nii", "nifti-offset", lambda: nifti(offset=0)),
    "17-extension-overruns": (".nii", "nifti-extension", lambda: _with_extension(1 << 20, b"comment")),
    "17-extension-of-nothing": (".nii", "nifti-extension", lambda: _with_extension(-16, b"comment")),
    "20-metres": (".nii", "nifti-units", lambda: nifti(xyzt_units=1)),
    "20-micrometres": (".nii", "nifti-units", lambda: nifti(xyzt_units=3)),
    "23-one-line": (".nii", "nifti-one-line", lambda: nifti(np.arange(9, dtype=np.int16).reshape(1, 1, 9))),
    "25-pair": (".nii", "nifti-pair", lambda: nifti(magic=b"ni1")),
}
"""Name (which begins with the number) to suffix, code and content. (25-pair: not of the list, but as bad.)"""

NAMED_NIFTI: dict[str, tuple[str, Content]] = {
    "15-intercept-alone": ("nifti-scaling-ignored", lambda: nifti(scl_slope=0, scl_inter=10)),
    "17-extension-with-text": ("nifti-extension-text", lambda: _with_extension(0, CANARY.encode())),
    "18-descrip": ("nifti-free-text", lambda: nifti(descrip=CANARY.encode())),
    "18-intent": ("nifti-free-text", lambda: nifti(intent_name=CANARY.encode()[:15])),
    "20-no-unit": ("nifti-units-unknown", lambda: nifti(xyzt_units=0)),
    "23-single-slice": ("nifti-single-slice", lambda: nifti(voxels()[:, :, :1])),
    "13-no-orientation": ("nifti-no-orientation", lambda: nifti(sform_code=0, qform_code=0)),
    "12-spacing-differs": ("nifti-spacing-differs", lambda: nifti(pixdim=[1, 1, 1, 3, 0, 0, 0, 0], qform_code=0)),
}
"""Files that can be used, with the code of their finding."""

SOUND_NIFTI: dict[str, Content] = {
    "13-left-handed": lambda: nifti(**_sform(_put(0, 0, 1.0))),
    "14-within-tolerance": lambda: nifti(**{**_sform(_put(0, 3, 1e-4)), "qform_code": 1}),
    "15-no-slope": lambda: nifti(scl_slope=0, scl_inter=0),
    "15-nan-slope": lambda: nifti(scl_slope=NAN, scl_inter=NAN),
    "18-software": lambda: nifti(descrip=b"FSL5.0"),
}
"""Files that look odd and are right: no finding."""

"""NIfTI in and out: the same bytes every time, and damaged files refused by name."""

import gzip
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.errors import GeometryError, RejectedInput
from datasets.formats.nifti import encode, is_nifti, read_grid, read_mask, read_volume, write_mask, write_volume
from datasets.image.mask import OEDEMA, TUMOUR, Mask
from datasets.image.volume import Grid, Volume
from tests.data import STS_NIFTI, require
from tests.datasets.release.samples import oblique_affine

SHAPE = (9, 8, 7)


def _volume(affine: np.ndarray | None = None) -> Volume:
    data = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    return Volume(data, Grid(SHAPE, oblique_affine() if affine is None else affine))


LEFT_HANDED = np.diag([-0.5, 0.5, 3.0, 1.0])
SAGITTAL = np.array([[0, 0, 4.0, -60], [-0.7, 0, 0, 90], [0, -0.7, 0, 80], [0, 0, 0, 1]])
AFFINES = {"oblique": oblique_affine(), "left-handed": LEFT_HANDED, "sagittal": SAGITTAL}


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_voxels_and_affine_survive_and_the_second_writing_gives_the_same_bytes(
    tmp_path: Path, affine: np.ndarray
) -> None:
    volume = _volume(affine)
    write_volume(tmp_path / "one.nii.gz", volume)
    again = read_volume(tmp_path / "one.nii.gz")
    np.testing.assert_array_equal(again.data, volume.data)
    np.testing.assert_allclose(again.grid.affine, affine, atol=1e-5)
    again.grid.require_match(volume.grid, what="written and read")
    write_volume(tmp_path / "two.nii.gz", again)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()


def test_sform_and_qform_say_the_same(tmp_path: Path) -> None:
    """Readers that prefer the other one see the tumour in the same place."""
    write_volume(tmp_path / "a.nii.gz", _volume())
    header = nib.load(tmp_path / "a.nii.gz").header
    np.testing.assert_allclose(header.get_sform(), header.get_qform(), atol=1e-5)
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"


def test_the_bytes_hold_no_time_and_no_text() -> None:
    content = encode(_volume().data, oblique_affine())
    assert content[3:8] == bytes(5)
    header = nib.Nifti1Image.from_bytes(gzip.decompress(content)).header
    assert [bytes(header[name].tobytes()).strip(b"\0") for name in ("descrip", "aux_file", "db_name")] == [b""] * 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_every_voxel_type_keeps_its_values(tmp_path: Path, dtype: type) -> None:
    data = np.arange(24).reshape(2, 3, 4).astype(dtype)
    write_volume(tmp_path / "a.nii.gz", Volume(data, Grid(data.shape, np.eye(4))))
    assert nib.load(tmp_path / "a.nii.gz").get_data_dtype() == dtype
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").data, data)


def test_a_sheared_grid_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    sheared = np.eye(4)
    sheared[0, 2] = 0.2
    with pytest.raises(GeometryError, match="grid-sheared"):
        write_volume(tmp_path / "a.nii.gz", _volume(sheared))
    assert list(tmp_path.iterdir()) == []


def test_scaled_voxels_are_scaled(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4))
    image.header.set_slope_inter(0.5, 10.0)
    image.to_filename(tmp_path / "a.nii")
    stored = nib.load(tmp_path / "a.nii").dataobj
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").data, np.asarray(stored), atol=1e-6)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_trailing_dimensions_of_one_are_dropped(tmp_path: Path, name: str) -> None:
    data = np.arange(24, dtype=np.int16).reshape(2, 3, 4, 1, 1)
    nib.Nifti1Image(data, np.eye(4)).to_filename(tmp_path / name)
    np.testing.assert_array_equal(read_volume(tmp_path / name).data, data[..., 0, 0])
    assert read_grid(tmp_path / name).shape == (2, 3, 4)


def test_one_slice_is_a_volume(tmp_path: Path) -> None:
    data = np.arange(6, dtype=np.int16).reshape(2, 3, 1)
    nib.Nifti1Image(data, np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    assert read_volume(tmp_path / "a.nii.gz").grid.shape == (2, 3, 1)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 5)])
@pytest.mark.parametrize("read", [read_volume, read_grid, read_mask])
def test_other_numbers_of_dimensions_are_refused(tmp_path: Path, shape: tuple, read) -> None:
    nib.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    with pytest.raises(RejectedInput, match="nifti-not-3d"):
        read(tmp_path / "a.nii.gz")


def _header(**fields: object) -> bytes:
    """A header of 352 bytes without voxels."""
    header = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)).header
    header["vox_offset"] = 352
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + bytes(4)


DAMAGED = {
    "empty": ("a.nii", b""),
    "empty-gz": ("a.nii.gz", b""),
    "text": ("a.nii", b"not an image" * 100),
    "text-gz": ("a.nii.gz", gzip.compress(b"not an image" * 100)),
    "not-gzip": ("a.nii.gz", _header() + bytes(16)),
    "header-alone": ("a.nii", _header()),
    "half-header": ("a.nii", _header()[:200]),
    "huge-and-short": ("a.nii", _header(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1])),
    "huge-and-short-gz": ("a.nii.gz", gzip.compress(_header(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]))),
    "negative-size": ("a.nii", _header(dim=[3, 2, -2, 2, 1, 1, 1, 1]) + bytes(16)),
    "voxels-in-the-header": ("a.nii", _header(vox_offset=0) + bytes(16)),
    "voxels-in-the-header-gz": ("a.nii.gz", gzip.compress(_header(vox_offset=0) + bytes(16))),
    "voxels-behind-the-end": ("a.nii", _header(vox_offset=1e9) + bytes(16)),
    "voxels-nowhere": ("a.nii", _header(vox_offset=np.nan) + bytes(16)),
    "no-such-type": ("a.nii", _header(datatype=4096) + bytes(16)),
}


@pytest.mark.parametrize("read", [read_volume, read_mask])
@pytest.mark.parametrize(("name", "content"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_refused_by_name_and_in_little_memory(
    tmp_path: Path, name: str, content: bytes, read
) -> None:
    folder = tmp_path / "CANARY"
    folder.mkdir()
    (folder / name).write_bytes(content)
    tracemalloc.start()
    with pytest.raises(RejectedInput) as refusal:
        read(folder / name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "CANARY" not in str(refusal.value)
    assert peak < 50e6


@pytest.mark.parametrize("read", [read_volume, read_grid, read_mask])
def test_an_absent_file_is_refused(tmp_path: Path, read) -> None:
    with pytest.raises(RejectedInput, match="nifti-unreadable"):
        read(tmp_path / "absent.nii.gz")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    content = encode(_volume().data, oblique_affine())
    path = tmp_path / "a.nii.gz"
    for size in [*range(0, len(content), 53), *range(len(content) - 9, len(content))]:
        path.write_bytes(content[:size])
        with pytest.raises(RejectedInput, match="compressed-truncated" if size > 1 else "file-empty"):
            read_volume(path)


def test_every_changed_byte_behind_the_gzip_header_is_refused(tmp_path: Path) -> None:
    """Voxels that were damaged on the way must not pass for an image: gzip's CRC sees them."""
    content = encode(_volume().data, oblique_affine())
    path = tmp_path / "a.nii.gz"
    for position in [*range(10, len(content), 13), *range(len(content) - 8, len(content))]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        with pytest.raises(RejectedInput):
            read_volume(path)


def test_garbage_behind_the_gzip_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    path.write_bytes(encode(_volume().data, oblique_affine()) + b"garbage")
    with pytest.raises(RejectedInput, match="compressed-trailing"):
        read_volume(path)


def test_a_little_padding_behind_the_voxels_is_read_over_and_a_bomb_is_not(tmp_path: Path) -> None:
    image = gzip.decompress(encode(_volume().data, oblique_affine()))
    (tmp_path / "padded.nii.gz").write_bytes(gzip.compress(image + bytes(512)))
    np.testing.assert_array_equal(read_volume(tmp_path / "padded.nii.gz").data, _volume().data)
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(image) + gzip.compress(bytes(1 << 25), compresslevel=1))
    with pytest.raises(RejectedInput, match="nifti-trailing"):
        read_volume(tmp_path / "bomb.nii.gz")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 351), value=st.integers(0, 255))
def test_no_changed_header_raises_anything_else(tmp_path: Path, position: int, value: int) -> None:
    content = bytearray(gzip.decompress(encode(_volume().data, oblique_affine())))
    content[position] = value
    (tmp_path / "a.nii").write_bytes(content)
    for read in (read_volume, read_grid, read_mask):
        with suppress(RejectedInput):
            read(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("value", "code"),
    [(float("nan"), "nifti-affine"), (float("inf"), "nifti-affine"), (0.0, "nifti-affine-singular")],
)
def test_an_affine_of_no_numbers_is_refused(tmp_path: Path, value: float, code: str) -> None:
    content = bytearray(gzip.decompress(encode(_volume(np.eye(4)).data, np.eye(4))))
    struct.pack_into("<f", content, 280, value)
    (tmp_path / "a.nii").write_bytes(content)
    for read in (read_volume, read_grid):
        with pytest.raises(RejectedInput, match=rf"\[{code}\]"):
            read(tmp_path / "a.nii")


def test_a_grid_is_read_from_the_header_alone(tmp_path: Path) -> None:
    volume = _volume()
    write_volume(tmp_path / "a.nii.gz", volume)
    assert read_grid(tmp_path / "a.nii.gz").matches(volume.grid)
    content = bytearray((tmp_path / "a.nii.gz").read_bytes())
    content[-8] ^= 1  # the checksum, which only who reads to the end sees
    (tmp_path / "b.nii.gz").write_bytes(content)
    assert read_grid(tmp_path / "b.nii.gz").matches(volume.grid)
    with pytest.raises(RejectedInput, match="compressed-crc"):
        read_volume(tmp_path / "b.nii.gz")


def test_a_mask_keeps_its_labels(tmp_path: Path) -> None:
    data = np.zeros(SHAPE, np.uint8)
    data[1], data[2], data[3] = 1, 2, 255
    mask = Mask(data, Grid(SHAPE, oblique_affine()), {1: TUMOUR, 2: OEDEMA, 255: "Other"})
    write_mask(tmp_path / "a.nii.gz", mask)
    again = read_mask(tmp_path / "a.nii.gz", labels=mask.labels)
    np.testing.assert_array_equal(again.data, data)
    assert again.data.dtype == np.uint8
    assert again.labels == mask.labels


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0.5, "mask-not-whole"),
        (-1.0, "mask-negative"),
        (256.0, "mask-too-large"),
        (np.nan, "mask-not-finite"),
        (np.inf, "mask-not-finite"),
    ],
)
def test_values_that_are_no_labels_are_refused(tmp_path: Path, value: float, code: str) -> None:
    volume = _volume()
    data = np.zeros(SHAPE, np.float32)
    data[0, 0, 0] = value
    write_volume(tmp_path / "a.nii.gz", Volume(data, volume.grid))
    with pytest.raises(RejectedInput, match=code):
        read_mask(tmp_path / "a.nii.gz")


def test_labels_with_the_noise_of_floats_are_read(tmp_path: Path) -> None:
    data = np.full(SHAPE, 0.9999999, np.float32)
    write_volume(tmp_path / "a.nii.gz", Volume(data, _volume().grid))
    assert (read_mask(tmp_path / "a.nii.gz").data == 1).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.nii", True), ("A.NII.GZ", True), ("a.nii.gz.txt", False), ("a.gz", False), ("nii", False)],
)
def test_names_of_nifti_files(name: str, expected: bool) -> None:
    assert is_nifti(Path(name)) is expected


def test_a_real_patient_s_volume_survives(tmp_path: Path) -> None:
    path = next(iter(sorted(require(STS_NIFTI).rglob("*.nii.gz"))))
    volume = read_volume(path)
    write_volume(tmp_path / "a.nii.gz", volume)
    again = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(again.data, volume.data)
    again.grid.require_match(volume.grid, what="written and read")
    assert read_grid(path).matches(volume.grid)

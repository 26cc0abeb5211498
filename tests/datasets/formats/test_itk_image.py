"""NRRD and MetaImage: the same voxels at the same places as SimpleITK reads them; untrustworthy files are refused."""

import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its customary name)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.formats.itk_image import ITK_SUFFIXES, is_itk_image, read_grid, read_mask, read_volume

SHAPE = (5, 4, 3)
TYPES = {np.int8: 1, np.uint8: 1, np.int16: 2, np.uint16: 2, np.int32: 4, np.uint32: 4, np.float32: 4, np.float64: 8}


def _turn(angles: tuple[float, float, float], *, flip: bool) -> NDArray[np.float64]:
    """A rotation about three axes, left-handed where flipped."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ step
    return matrix * (-1, 1, 1) if flip else matrix


def _image(
    direction: NDArray[np.float64], *, kind: type = np.int16, shape: tuple[int, int, int] = SHAPE
) -> tuple[sitk.Image, NDArray[np.generic]]:
    """A SimpleITK image (LPS+) and its voxels as (i, j, k)."""
    voxels = np.random.default_rng(0).integers(0, 100, shape).astype(kind)
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T))
    image.SetSpacing((0.7, 1.3, 4.5))
    image.SetOrigin((-31.25, 17.5, 250.0))
    image.SetDirection(direction.ravel().tolist())
    return image, voxels


def _write(path: Path, image: sitk.Image, *, compressed: bool = False) -> Path:
    sitk.WriteImage(image, str(path), useCompression=compressed)
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("itk")


@settings(max_examples=40, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    flip=st.booleans(),
    suffix=st.sampled_from(ITK_SUFFIXES),
    compressed=st.booleans(),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
)
def test_every_voxel_is_where_simpleitk_puts_it(
    scratch: Path,
    angles: tuple[float, float, float],
    flip: bool,
    suffix: str,
    compressed: bool,
    shape: tuple[int, int, int],
) -> None:
    image, voxels = _image(_turn(angles, flip=flip), shape=shape)
    path = _write(scratch / f"image{suffix}", image, compressed=compressed)
    volume = read_volume(path)
    assert np.array_equal(volume.data, voxels)
    assert volume.data.dtype == np.float32
    assert read_grid(path).matches(volume.grid)
    for index in np.ndindex(*shape):
        expected = np.array(image.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
        assert np.allclose(volume.grid.to_world(index), expected, atol=1e-4)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_every_type_of_number_is_read(tmp_path: Path, kind: type, suffix: str) -> None:
    image, voxels = _image(np.eye(3), kind=kind)
    assert np.array_equal(read_volume(_write(tmp_path / f"image{suffix}", image)).data, voxels.astype(np.float32))


@pytest.mark.parametrize("space", ["right-anterior-superior", "RAS", "left-anterior-superior", "LPS"])
def test_the_space_of_a_nrrd_decides_what_its_numbers_mean(tmp_path: Path, space: str) -> None:
    path = _write(tmp_path / "image.nrrd", _image(np.eye(3))[0])
    path.write_bytes(path.read_bytes().replace(b"left-posterior-superior", space.encode()))
    peer = sitk.ReadImage(str(path))
    expected = np.array(peer.TransformIndexToPhysicalPoint((4, 3, 2))) * (-1, -1, 1)
    assert np.allclose(read_grid(path).to_world((4, 3, 2)), expected, atol=1e-6)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_big_endian_voxels_are_turned_round(tmp_path: Path, suffix: str) -> None:
    image, voxels = _image(np.eye(3))
    path = _write(tmp_path / f"image{suffix}", image)
    little = np.asfortranarray(voxels).astype("<i2").tobytes(order="F")
    content = path.read_bytes()
    assert content.endswith(little)
    header = content[: -len(little)].replace(b"endian: little", b"endian: big")
    header = header.replace(b"BinaryDataByteOrderMSB = False", b"BinaryDataByteOrderMSB = True")
    path.write_bytes(header + voxels.astype(">i2").tobytes(order="F"))
    assert np.array_equal(read_volume(path).data, voxels)


def test_a_label_map_is_a_mask_and_an_image_is_none(tmp_path: Path) -> None:
    image, voxels = _image(np.eye(3), kind=np.uint8)
    mask = read_mask(_write(tmp_path / "mask.nrrd", image, compressed=True), labels={1: "Tumour"})
    assert mask.data.dtype == np.uint8
    assert np.array_equal(mask.data, voxels)
    for other, code in (
        (_image(np.eye(3), kind=np.int16)[0] - 50, "mask-negative"),
        (sitk.Cast(image, sitk.sitkFloat32) + 0.5, "mask-not-whole"),
    ):
        with pytest.raises(RejectedInput) as caught:
            read_mask(_write(tmp_path / "image.mha", other))
        assert caught.value.code == code


def test_names_decide_what_is_looked_at() -> None:
    assert all(is_itk_image(Path("A/B" + suffix.upper())) for suffix in ITK_SUFFIXES)
    assert not is_itk_image(Path("a.nii.gz"))


def _swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return change


NRRD_EDITS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("itk-unreadable", lambda content: content[8:]),
    ("itk-unreadable", _swap(b"sizes: 5 4 3", b"sizes: 5 4 -3")),
    ("itk-unreadable", _swap(b"sizes: 5 4 3", b"sizes: 5 4")),
    ("itk-unreadable", _swap(b"sizes: 5 4 3", b"sizes: 5 4 3\nsizes: 5 4 3")),
    ("itk-unreadable", _swap(b"-31.25", b"nan")),
    ("itk-unreadable", _swap(b"endian: little\n", b"")),
    ("itk-unreadable", lambda content: b"NRRD0004\n#" + b"x" * 2_000_000 + content[8:]),
    ("itk-not-3d", _swap(b"dimension: 3", b"dimension: 4")),
    ("itk-not-3d", _swap(b"kinds: domain", b"kinds: vector")),
    ("itk-type", _swap(b"type: short", b"type: block")),
    ("itk-encoding", _swap(b"encoding: raw", b"encoding: hex")),
    ("itk-units", _swap(b"space directions", b'space units: "cm" "cm" "cm"\nspace directions')),
    ("itk-no-geometry", _swap(b"space: left-posterior-superior\n", b"")),
    ("itk-no-geometry", _swap(b"left-posterior-superior", b"scanner-xyz")),
    ("itk-no-geometry", _swap(b"space origin: ", b"space corner: ")),
    ("grid-affine", _swap(b"(0.69999999999999996,0,0)", b"(0,0,0)")),
    ("grid-sheared", _swap(b"(0.69999999999999996,0,0)", b"(0.7,0.3,0)")),
    ("itk-spacing-range", _swap(b"(0.69999999999999996,0,0)", b"(1e10,0,0)")),
    ("itk-spacing-range", _swap(b"(0.69999999999999996,0,0)", b"(1e300,0,0)")),
    ("itk-spacing-range", _swap(b"(0.69999999999999996,0,0)", b"(0.009,0,0)")),
    ("itk-origin-far", _swap(b"-31.25", b"1e30")),
    ("itk-origin-far", _swap(b"-31.25", b"-100001")),
    ("itk-truncated", lambda content: content[:-1]),
    ("itk-trailing", lambda content: content + b"\0"),
    ("itk-truncated", _swap(b"sizes: 5 4 3", b"sizes: 5 4 40000")),
    ("declared-too-large", _swap(b"sizes: 5 4 3", b"sizes: 50000 50000 50000")),
    ("itk-many-files", _swap(b"encoding: raw", b"encoding: raw\ndata file: LIST")),
    ("itk-many-files", _swap(b"encoding: raw", b"encoding: raw\ndata file: I.%03d 1 3 1")),
    ("itk-data-elsewhere", _swap(b"encoding: raw", b"encoding: raw\ndata file: ../secret.raw")),
    ("itk-data-elsewhere", _swap(b"encoding: raw", b"encoding: raw\ndata file: /etc/passwd")),
    ("itk-data-elsewhere", _swap(b"encoding: raw", b"encoding: raw\ndata file: ..\\secret.raw")),
    ("itk-data-elsewhere", _swap(b"encoding: raw", b"encoding: raw\ndata file: ..")),
    ("itk-data-elsewhere", _swap(b"encoding: raw", b"encoding: raw\ndata file: link.raw")),
    ("itk-data-elsewhere", _swap(b"encoding: raw", b"encoding: raw\ndata file: " + b"x" * 4000)),
    ("itk-data-elsewhere", _swap(b"encoding: raw", b"encoding: raw\ndata file: a\0b")),
    ("itk-data-absent", _swap(b"encoding: raw", b"encoding: raw\ndata file: nothing.raw")),
]

META_EDITS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("itk-not-3d", _swap(b"NDims = 3", b"NDims = 4")),
    ("itk-not-3d", _swap(b"ElementType", b"ElementNumberOfChannels = 3\nElementType")),
    ("itk-not-3d", _swap(b"ObjectType = Image", b"ObjectType = Tube")),
    ("itk-type", _swap(b"MET_SHORT", b"MET_STRING")),
    ("itk-encoding", _swap(b"BinaryData = True", b"BinaryData = False")),
    ("itk-no-geometry", _swap(b"TransformMatrix", b"Transformed")),
    ("itk-no-geometry", _swap(b"Offset", b"Set off")),
    ("itk-no-geometry", _swap(b"ElementSpacing", b"ElementSpaces")),
    ("itk-spacing-range", _swap(b"ElementSpacing = ", b"ElementSpacing = 1e10 1 1\nComment = ")),
    ("itk-origin-far", _swap(b"Offset = ", b"Offset = 0 0 1e30\nComment = ")),
    ("itk-unreadable", _swap(b"DimSize = 5 4 3", b"DimSize = 5 4 x")),
    ("itk-unreadable", _swap(b"DimSize = 5 4 3", b"no field")),
    ("itk-unreadable", _swap(b"ElementDataFile = LOCAL\n", b"")),
    ("declared-too-large", _swap(b"DimSize = 5 4 3", b"DimSize = 99999999 99999999 99999999")),
    ("itk-data-elsewhere", _swap(b"ElementDataFile = LOCAL", b"ElementDataFile = ../secret.raw")),
    ("itk-many-files", _swap(b"ElementDataFile = LOCAL", b"ElementDataFile = LIST")),
    ("compressed-damaged", _swap(b"CompressedData = False", b"CompressedData = True")),
]


@pytest.mark.parametrize(
    ("suffix", "code", "change"),
    [(".nrrd", *edit) for edit in NRRD_EDITS] + [(".mha", *edit) for edit in META_EDITS],
)
def test_what_cannot_be_trusted_is_refused_by_name_and_costs_nothing(
    tmp_path: Path, suffix: str, code: str, change: Callable[[bytes], bytes]
) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret.raw").write_bytes(bytes(5 * 4 * 3 * 2))
    (folder / "link.raw").symlink_to(tmp_path / "secret.raw")
    path = _write(folder / f"Canary{suffix}", _image(np.eye(3))[0])
    path.write_bytes(change(path.read_bytes()))
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(RejectedInput) as caught:
        read_volume(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == code
    assert time.process_time() - began < 1.0
    assert peak < 20 << 20
    assert "Canary" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_flipped_bit_in_compressed_voxels_is_found(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"image{suffix}", _image(np.eye(3), shape=(20, 20, 20))[0], compressed=True)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1  # in the checksum itself: every other bit is found by inflating or by it
    path.write_bytes(content)
    with pytest.raises(RejectedInput, match="damaged: its checksum"):
        read_volume(path)


def test_a_bomb_is_refused_before_it_opens(tmp_path: Path) -> None:
    header = "\n".join(
        ["ObjectType = Image", "NDims = 3", "BinaryData = True", "CompressedData = True", "Offset = 0 0 0",
         "TransformMatrix = 1 0 0 0 1 0 0 0 1", "ElementSpacing = 1 1 1", "DimSize = 1000 1000 400",
         "ElementType = MET_UCHAR", "ElementDataFile = LOCAL", ""]
    )  # fmt: skip
    path = tmp_path / "bomb.mha"
    path.write_bytes(header.encode() + zlib.compress(bytes(1 << 20)))
    tracemalloc.start()
    with pytest.raises(RejectedInput) as caught:
        read_volume(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == "inflation-ratio"
    assert peak < 10 << 20


@settings(max_examples=300, deadline=None)
@given(
    suffix=st.sampled_from([".nrrd", ".mha"]),
    place=st.floats(0, 1, exclude_max=True),
    piece=st.binary(min_size=1, max_size=4),
    cut=st.integers(0, 4),
)
def test_no_damage_raises_anything_else(scratch: Path, suffix: str, place: float, piece: bytes, cut: int) -> None:
    whole = scratch / f"whole{suffix}"
    if not whole.exists():
        _write(whole, _image(np.eye(3))[0], compressed=True)
    content = whole.read_bytes()
    at = int(place * len(content))
    damaged = scratch / f"damaged{suffix}"
    damaged.write_bytes(content[:at] + piece + content[at + cut :])
    with suppress(RejectedInput):
        read_volume(damaged)

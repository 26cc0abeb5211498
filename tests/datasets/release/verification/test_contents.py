"""What images, masks and archives hold: read by Python alone, to the last byte, in bounded memory."""

import gzip
import io
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import encode, read_grid
from datasets.gate import FastInflating
from datasets.inflating import Inflating
from datasets.release.manifest_parts import file_entry
from datasets.release.manifest_reading import read_manifest
from datasets.release.verification.contents import Facts, read_gzip, read_image
from datasets.release.verification.image_start import HEADER_BYTES, apart_mm, read_start
from datasets.release.verify import verify_release
from tests.datasets.release.samples import CODES, oblique_affine, replace_file, rewrite, sample_path
from tests.datasets.support.bad_inputs import zeros_gz

SHAPE = (5, 4, 3)
MASK = np.arange(60).reshape(SHAPE) % 3

AFFINES = {
    "straight": np.diag([0.5, 0.6, 4.0, 1.0]),
    "oblique": oblique_affine(),
    "flipped": np.diag([-0.5, 0.6, -4.0, 1.0]),
    "turned": np.array([[0, 0, 3.0, -20], [-0.7, 0, 0, 30], [0, 0.7, 0, 5], [0, 0, 0, 1]]),
    "far": oblique_affine(degrees=-71) + np.array([[0, 0, 0, 900.0]] * 3 + [[0, 0, 0, 0]]),
}


def _start(content: bytes) -> bytes:
    return gzip.decompress(content)[:HEADER_BYTES]


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("code", ["sform", "qform"])
def test_a_grid_is_the_one_that_is_read_elsewhere(tmp_path: Path, affine: np.ndarray, code: str) -> None:
    image = nib.Nifti1Image(MASK.astype(np.int16), affine)
    image.set_sform(affine, code=int(code == "sform"))
    image.set_qform(affine, code=int(code == "qform"))
    nib.save(image, tmp_path / "a.nii.gz")
    start = read_start(_start((tmp_path / "a.nii.gz").read_bytes()))
    grid = read_grid(tmp_path / "a.nii.gz")
    assert start.shape == grid.shape
    assert np.abs(np.array(start.rows) - grid.affine[:3]).max() < 1e-4
    assert apart_mm(start.shape, start.rows, tuple(map(tuple, grid.affine[:3].tolist()))) < 1e-4


def test_how_far_apart_two_grids_lie() -> None:
    moved, stretched = np.eye(4), np.diag([1.0, 1.0, 1.001, 1.0])
    moved[1, 3] = -0.25
    rows = [tuple(map(tuple, affine[:3].tolist())) for affine in (np.eye(4), moved, stretched)]
    assert apart_mm((10, 10, 201), rows[0], rows[1]) == 0.25
    assert apart_mm((10, 10, 201), rows[0], rows[2]) == pytest.approx(0.2)


def _with(position: int, form: str, *values: object) -> bytes:
    content = bytearray(_start(encode(MASK.astype(np.uint8), oblique_affine())))
    struct.pack_into(form, content, position, *values)
    return bytes(content)


BAD_STARTS = {
    "empty": (b"", "nifti-truncated"),
    "short": (_with(0, "<i", 348)[:351], "nifti-truncated"),
    "text": (b"not an image" * 40, "nifti-unreadable"),
    "pair": (_with(344, "4s", b"ni1\0"), "nifti-pair"),
    "type-colour": (_with(70, "<h", 128), "nifti-type"),
    "type-negative": (_with(70, "<h", -1), "nifti-type"),
    "dimensions-none": (_with(40, "<h", 0), "nifti-not-3d"),
    "dimensions-nine": (_with(40, "<h", 9), "nifti-not-3d"),
    "dimensions-four": (_with(40, "<5h", 4, 5, 4, 3, 2), "nifti-not-3d"),
    "size-negative": (_with(42, "<h", -5), "nifti-not-3d"),
    "offset-nan": (_with(108, "<f", float("nan")), "nifti-offset"),
    "offset-huge": (_with(108, "<f", 1e30), "nifti-offset"),
    "offset-in-header": (_with(108, "<f", 100), "nifti-offset"),
    "offset-half": (_with(108, "<f", 352.5), "nifti-offset"),
    "metres": (_with(123, "B", 1), "nifti-units"),
    "no-orientation": (_with(252, "<2h", 0, 0), "nifti-no-orientation"),
    "sform-nan": (_with(280, "<f", float("nan")), "nifti-affine"),
    "sform-infinite": (_with(280, "<f", float("inf")), "nifti-affine"),
    "sform-flat": (_with(280, "<8f", *([0.0] * 8)), "nifti-affine"),
    "qform-nan": (_with(256, "<f", float("nan")), "nifti-affine"),
    "two-places": (_with(268, "<f", 30.0), "nifti-two-places"),
}


@pytest.mark.parametrize(("start", "code"), BAD_STARTS.values(), ids=BAD_STARTS)
def test_a_bad_start_is_refused_by_its_code(start: bytes, code: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        read_start(start)
    assert refusal.value.code == code


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "<i4", "<u2", ">u4", "<i8", "<f4", ">f4", "<f8"])
def test_labels_of_every_type_of_voxel(dtype: str) -> None:
    header = nib.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(np.dtype(dtype).newbyteorder("="))
    image = nib.Nifti1Image(MASK.astype(dtype), oblique_affine(), header)
    image.set_sform(oblique_affine(), code=1)
    found = read_image(io.BytesIO(image.to_bytes()), SHAPE, is_mask=True)
    assert found.values == (0, 1, 2)
    assert read_image(io.BytesIO(image.to_bytes()), SHAPE, is_mask=False).values is None


def _image(data: np.ndarray, *, slope: float = 1.0, intercept: float = 0.0) -> io.BytesIO:
    image = nib.Nifti1Image(data, oblique_affine())
    image.set_sform(oblique_affine(), code=1)
    content = bytearray(image.to_bytes())
    struct.pack_into("<2f", content, 112, slope, intercept)
    return io.BytesIO(bytes(content))


def test_labels_are_scaled_as_the_header_says() -> None:
    assert read_image(_image(MASK.astype(np.int16), slope=3.0, intercept=-1.0), SHAPE, is_mask=True).values == (
        -1,
        2,
        5,
    )
    assert read_image(_image(MASK.astype(np.int16), slope=0.0, intercept=9.0), SHAPE, is_mask=True).values == (0, 1, 2)


@pytest.mark.parametrize(
    "data",
    [
        MASK + 0.5,
        np.where(MASK == 1, np.nan, 0.0),
        np.where(MASK == 1, np.inf, 0.0),
        np.full((9, 9, 9), np.nan),
        np.arange(729.0).reshape(9, 9, 9),
    ],
    ids=["halves", "nan", "infinite", "all-nan", "many"],
)
def test_values_that_are_no_labels(data: np.ndarray) -> None:
    with pytest.raises(RejectedInput) as refusal:
        read_image(_image(data), data.shape, is_mask=True)
    assert refusal.value.code == "mask-labels"


@pytest.mark.parametrize("inflating", [Inflating, FastInflating])
def test_a_bomb_costs_no_memory(inflating: type[Inflating]) -> None:
    """128 MiB of zeros in 128 KiB, where a mask of a kilobyte should be, and 64 MiB in an archive of their own."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = stream.compress(_image(np.zeros((9, 9, 9), np.uint8)).getvalue())
    bomb += b"".join(stream.compress(bytes(1 << 24)) for _ in range(8)) + stream.flush()
    other = zeros_gz(1 << 26)
    tracemalloc.start()
    try:
        with pytest.raises(RejectedInput) as refusal:
            read_image(inflating(io.BytesIO(bomb), is_gzip=True), (9, 9, 9), is_mask=True)
        read_gzip(inflating(io.BytesIO(other), is_gzip=True))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert refusal.value.code == "nifti-trailing"


def _voxels(release: Path, code: str, name: str) -> bytes:
    return (release / sample_path(code, name)).read_bytes()


INSIDE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "checksum": (lambda whole: whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:], "compressed-crc"),
    "length": (lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]), "compressed-crc"),
    "half": (lambda whole: whole[: len(whole) // 2], "compressed-truncated"),
    "no-end": (lambda whole: whole[:-3], "compressed-truncated"),
    "no-gzip": (lambda whole: gzip.decompress(whole), "compressed-damaged"),
    "more": (lambda whole: whole + b"more", "compressed-trailing"),
    "twice": (lambda whole: whole * 2, "nifti-trailing"),
    "voxels-missing": (lambda whole: gzip.compress(gzip.decompress(whole)[:-1]), "nifti-truncated"),
    "voxels-more": (lambda whole: gzip.compress(gzip.decompress(whole) + b"\1"), "nifti-trailing"),
    "bomb": (lambda whole: zeros_gz(1 << 27), "nifti-unreadable"),
}


@pytest.mark.parametrize("name", ["t1", "mask"])
@pytest.mark.parametrize(("damage", "code"), INSIDE.values(), ids=INSIDE)
def test_an_archive_with_the_right_digest_and_a_broken_gzip_inside(
    release: Path, name: str, damage: Callable[[bytes], bytes], code: str
) -> None:
    """The publisher compressed it badly: every digest agrees, and nobody could have loaded it."""
    path = sample_path(CODES[1], name)
    replace_file(release, path, damage((release / path).read_bytes()))
    [finding] = verify_release(release).findings
    assert (finding.code, finding.subject) == (code, CODES[1])
    assert path in finding.message


def _list_further(release: Path, path: str, content: bytes) -> None:
    """Puts one more file into a release, and into its lists."""
    (release / path).parent.mkdir(exist_ok=True)
    (release / path).write_bytes(content)
    entry = vars(file_entry(path, content))

    def add(value: dict) -> None:
        value["files"] = [each for each in value["files"] if each["path"] != path] + [dict(entry)]

    rewrite(release, add)


def test_a_compressed_file_that_is_no_image(release: Path) -> None:
    whole, path = gzip.compress(b"a;b\n" * 1000), "tables/all.csv.gz"
    _list_further(release, path, whole)
    assert verify_release(release).is_sound
    _list_further(release, path, whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:])
    assert [(each.code, each.subject) for each in verify_release(release).findings] == [("compressed-crc", path)]


@pytest.mark.parametrize("name", ["t1", "t2", "mask"])
def test_voxels_that_are_not_those_of_the_manifest(release: Path, name: str) -> None:
    rewrite(release, lambda value: value["cases"][3]["voxels"].update({name: "0" * 64}))
    [finding] = verify_release(release).findings
    assert (finding.code, finding.subject) == ("voxels-changed", CODES[3])
    rewrite(release, lambda value: value["cases"][3]["voxels"].pop(name))
    assert [each.code for each in verify_release(release).findings] == ["voxels-changed"]


def test_images_of_another_size_than_the_manifest_says(release: Path) -> None:
    rewrite(release, lambda value: value["cases"][0].update(shape=[8, 6, 5]))
    found = verify_release(release).findings
    assert {(each.code, each.subject) for each in found} == {("grid-mismatch", CODES[0])}
    for shape in ([8, 6], [8, 6, 0], [8, 6, True], "864", None, 3):
        rewrite(release, lambda value, shape=shape: value["cases"][0].update(shape=shape))
        assert [(each.code, each.subject) for each in verify_release(release).findings] == [("case-shape", CODES[0])]


def test_a_mask_that_is_empty_or_not_against_the_manifest(release: Path) -> None:
    rewrite(release, lambda value: [value["cases"][at].update(mask_empty=at == 0) for at in (0, 4)])
    found = verify_release(release).findings
    assert [(each.code, each.subject) for each in found] == [("mask-empty", CODES[0]), ("mask-empty", CODES[4])]


def test_a_release_without_a_licence(release: Path) -> None:
    rewrite(release, lambda value: value.update(licence=" "))
    assert [(each.code, each.subject) for each in verify_release(release).findings] == [
        ("licence-missing", "manifest.json")
    ]


def test_a_case_that_comes_twice(release: Path) -> None:
    rewrite(release, lambda value: value["cases"].append(value["cases"][0]))
    assert ("case-duplicate", CODES[0]) in {(each.code, each.subject) for each in verify_release(release).findings}


def test_an_archive_that_was_seen_in_a_sound_version_is_hashed_alone(release: Path) -> None:
    """Its broken gzip would have been found there; another one's is found here."""
    broken = gzip.compress(b"a;b\n" * 1000)[:-1] + b"\1"
    _list_further(release, "tables/all.csv.gz", broken)
    seen = read_manifest((release / "manifest.json").read_bytes())
    assert verify_release(release, seen=seen).is_sound
    _list_further(release, "tables/new.csv.gz", broken)
    found = verify_release(release, seen=seen).findings
    assert [(each.code, each.subject) for each in found] == [("compressed-crc", "tables/new.csv.gz")]
    (release / "tables/all.csv.gz").write_bytes(broken[::-1])
    assert "file-changed" in {each.code for each in verify_release(release, seen=seen).findings}


def test_facts_are_the_same_for_both_ways_of_inflating(sound_release: Path) -> None:
    content = _voxels(sound_release, CODES[0], "mask")
    found = [
        read_image(kind(io.BytesIO(content), is_gzip=True), (8, 6, 4), is_mask=True)
        for kind in (Inflating, FastInflating)
    ]
    assert found[0] == found[1]
    assert isinstance(found[0], Facts)
    assert found[0].values == (0, 1)
    assert sys.byteorder == "little" or found[0].voxels

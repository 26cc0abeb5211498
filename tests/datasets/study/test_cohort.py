"""Cases found by globs: pairs, cases left out, and refusals."""

from pathlib import Path

import numpy as np
import pytest

from datasets.errors import GeometryError, RejectedInput
from datasets.formats.nifti import write_mask, write_volume
from datasets.gate import Budget
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.study.cohort import CohortCase, LoadedCase, load, read_cohort
from tests.data import STS_NIFTI, require

GRID = Grid((6, 5, 4), np.diag([-1.0, -1.0, 3.0, 1.0]))


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names(folder: Path, image: str, mask: str) -> list[str]:
    return [found.case for found in read_cohort(folder, {"t1": image}, mask).cases]


def test_real_patients_pair_by_folder() -> None:
    folder = require(STS_NIFTI)
    cohort = read_cohort(folder, {"t1": "*/MR_T1_image.nii.gz"}, "*/MR_T1_mask.nii.gz")
    assert len(cohort.cases) == 34
    assert cohort.findings == ()
    loaded = load(cohort.cases[0])
    assert loaded.case == "STS_001"
    assert loaded.mask.grid is loaded.volumes["t1"].grid
    assert loaded.mask.volume_ml > 1
    both = {"ct": "*/CT_image.nii.gz", "pet": "*/PET_image.nii.gz"}
    assert len(read_cohort(folder, both, "*/CT_mask.nii.gz").cases) == 16
    partly = read_cohort(folder, {"t1": "*/MR_T1_image.nii.gz", **both}, "*/CT_mask.nii.gz")
    left_out = [finding for finding in partly.findings if finding.code.startswith("cohort-no-")]
    assert (len(partly.cases), len(left_out)) == (16, 18)
    assert len(partly.findings) == len(left_out)


def test_stars_pair_across_folders(tmp_path: Path) -> None:
    touch(tmp_path, "images/a_0000.nii.gz", "images/b_0000.nii.gz", "labels/a.nii.gz", "labels/b.nii.gz")
    cohort = read_cohort(tmp_path, {"t1": "images/*_0000.nii.gz"}, "labels/*.nii.gz")
    assert [case.case for case in cohort.cases] == ["a", "b"]
    assert cohort.cases[1].images["t1"] == tmp_path / "images" / "b_0000.nii.gz"
    assert cohort.cases[1].mask == tmp_path / "labels" / "b.nii.gz"


@pytest.mark.parametrize(
    ("image", "mask", "expected"),
    [
        ("**/image.nii", "**/mask.nii", ["site1_p1", "site1_p2", "site2_p1"]),
        ("*/*/image.nii", "*/*/mask.nii", ["site1_p1", "site1_p2", "site2_p1"]),
        ("site1/*/image.nii", "site1/*/mask.nii", ["p1", "p2"]),
        ("./site1//p[!2]/image.nii", "site1/p[13]/mask.nii", ["1"]),
        ("site?/p2/image.nii", "site?/p2/mask.nii", ["1"]),
        ("site1/p1/image.nii", "site1/p1/mask.nii", ["case"]),
    ],
)
def test_kinds_of_stars(tmp_path: Path, image: str, mask: str, expected: list[str]) -> None:
    places = ("site1/p1", "site1/p2", "site2/p1")
    touch(tmp_path, *(f"{place}/{kind}.nii" for place in places for kind in ("image", "mask")))
    touch(tmp_path, ".hidden/p9/image.nii", ".hidden/p9/mask.nii", "site1/._p/image.nii", "site1/._p/mask.nii")
    assert names(tmp_path, image, mask) == expected


def test_what_lacks_a_file_is_left_out_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "a/ct", "a/pet", "a/mask", "b/ct", "b/pet", "c/mask", "c/ct", "d/ct", "d/pet", "d/mask")
    cohort = read_cohort(tmp_path, {"ct": "*/ct", "pet": "*/pet"}, "*/mask")
    assert [case.case for case in cohort.cases] == ["a", "d"]
    assert [(finding.subject, finding.code) for finding in cohort.findings] == [
        ("b", "cohort-no-mask"),
        ("c", "cohort-no-image"),
    ]
    assert "no pet" in cohort.findings[1].message


@pytest.mark.parametrize(
    ("image", "mask", "code"),
    [
        ("*/nothing", "*/mask", "cohort-nothing-matches"),
        ("*/image", "*/nothing", "cohort-nothing-matches"),
        ("/etc/*", "*/mask", "cohort-glob"),
        ("*/image", "../*/mask", "cohort-glob"),
        ("*/../../*", "*/mask", "cohort-glob"),
        ("", "*/mask", "cohort-glob"),
        ("**", "*/mask", "cohort-glob"),
        ("a**/image", "*/mask", "cohort-glob"),
        ("[!]/image", "*/mask", "cohort-glob"),
        ("[z-a]/image", "*/mask", "cohort-glob"),
        ("*/image", "other/*", "cohort-no-pairs"),
        ("*/**/image", "*/mask", "cohort-same-case"),
    ],
)
def test_refusals_have_names(tmp_path: Path, image: str, mask: str, code: str) -> None:
    touch(tmp_path, "a/image", "a/mask", "b/image", "b/mask", "b_c/image", "b/c/image", "other/z")
    with pytest.raises(RejectedInput) as refused:
        read_cohort(tmp_path, {"t1": image}, mask)
    assert refused.value.code == code
    assert str(tmp_path) not in str(refused.value)


def test_no_folder_and_no_channel_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/image", "a/mask")
    with pytest.raises(RejectedInput, match="cohort-no-folder"):
        read_cohort(tmp_path / "absent", {"t1": "*/image"}, "*/mask")
    for globs in ({}, {"": "*/image"}, {"mask": "*/image"}):
        with pytest.raises(RejectedInput, match="cohort-no-images"):
            read_cohort(tmp_path, globs, "*/mask")


def written(folder: Path, mask: np.ndarray, *, mask_grid: Grid = GRID) -> CohortCase:
    random = np.random.default_rng(0)
    write_volume(folder / "t1.nii.gz", Volume(random.normal(size=GRID.shape).astype(np.float32), GRID))
    write_mask(folder / "mask.nii.gz", Mask(mask.astype(np.uint8), mask_grid))
    return CohortCase("a", {"t1": folder / "t1.nii.gz"}, folder / "mask.nii.gz")


def test_load_reads_image_and_mask(tmp_path: Path) -> None:
    mask = np.zeros(GRID.shape)
    mask[2, 2, 2] = 1
    case = written(tmp_path, mask)
    loaded = load(case)
    assert np.array_equal(loaded.mask.data, mask)
    assert loaded.volumes["t1"].grid.matches(GRID)
    assert str(tmp_path) not in repr(case)
    with pytest.raises(RejectedInput, match="declared-too-large"):
        load(case, budget=Budget(volume_bytes=10))


def test_a_mask_counted_from_the_other_side_or_cropped_lies_on_its_image(tmp_path: Path) -> None:
    mask = np.zeros(GRID.shape)
    mask[1:3, 2:4, 1:3] = 1
    affine = GRID.affine.copy()
    affine[:3, 3] = GRID.to_world([1, GRID.shape[1] - 1, 1])
    affine[:3, 1] *= -1
    for reach in (slice(1, None), slice(1, 3)):
        turned = mask[reach, ::-1, reach]
        shape = (turned.shape[0], turned.shape[1], turned.shape[2])
        loaded = load(written(tmp_path, turned, mask_grid=Grid(shape, affine)))
        assert np.array_equal(loaded.mask.data, mask)
        assert loaded.volumes["t1"].grid is loaded.mask.grid
        cohort = read_cohort(tmp_path, {"t1": "t1.nii.gz"}, "mask.nii.gz")
        assert [(finding.code, finding.subject) for finding in cohort.findings] == [("grid-box", "case")]


def test_load_refuses_what_is_no_case(tmp_path: Path) -> None:
    mask = np.ones(GRID.shape)
    with pytest.raises(RejectedInput, match="cohort-mask-background"):
        load(written(tmp_path, mask))
    mask[0] = 0
    with pytest.raises(RejectedInput, match="cohort-empty-mask"):
        load(written(tmp_path, 0 * mask))
    other = Grid(GRID.shape, np.diag([-1.0, -1.0, 4.0, 1.0]))
    with pytest.raises(GeometryError, match="grid-mismatch"):
        load(written(tmp_path, mask, mask_grid=other))
    case = written(tmp_path, mask)
    other_channel = CohortCase("a", {**case.images, "t2": tmp_path / "t2.nii.gz"}, case.mask)
    write_volume(tmp_path / "t2.nii.gz", Volume(np.arange(120, dtype=np.float32).reshape(GRID.shape), other))
    with pytest.raises(GeometryError, match="t2"):
        load(other_channel)
    brought = load(other_channel, resample=True).volumes["t2"]
    assert brought.grid.matches(GRID)
    # Slices of 3 mm through slices of 4 mm: the last lies at 9 mm, 2.25 slices up.
    assert np.allclose(brought.data[:, :, 3], np.arange(120).reshape(GRID.shape)[:, :, 2] + 0.25)
    write_volume(case.images["t1"], Volume(np.full(GRID.shape, np.nan, np.float32), GRID))
    with pytest.raises(RejectedInput, match="volume-all-nan"):
        load(case)
    case.mask.write_bytes(b"no nifti")
    with pytest.raises(RejectedInput):
        load(CohortCase("a", {"t1": case.mask}, case.mask))


def test_a_case_is_told_by_its_images_and_its_random_choices_by_its_name() -> None:
    image, mask = Volume(np.zeros(GRID.shape, np.float32), GRID), Mask(np.ones(GRID.shape, np.uint8), GRID)
    brighter = Volume(np.ones(GRID.shape, np.float32), GRID)
    one, same, other = (LoadedCase("a", {"t1": volume}, mask) for volume in (image, image, brighter))
    assert one.cache_key == same.cache_key != other.cache_key
    assert one.number == other.number == 0xCA978112CA1BBDCA, "the first 8 bytes of SHA-256 of its name"
    assert LoadedCase("b", {"t1": image}, mask).number != one.number

"""Training slices: 1 mm, three planes, clamped triplets, MSTT-199's grey values, and the files that hold them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.slices.export import SliceSubject
from curation.slices.training_files import TRAINING_SLICES_FILE, export_training_slices, read_training_slices
from datasets.errors import GeometryError, RejectedInput
from datasets.files import sha256_of_file
from datasets.image.digest import content_sha256
from datasets.image.mask import OEDEMA, TUMOUR, Mask
from datasets.image.resample import resample_mask, resample_volume
from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane
from datasets.study.case import CaseVolumes
from datasets.study.training_slices import (
    IsotropicCase,
    TrainingSliceSettings,
    chosen_slices,
    isotropic_case,
    training_slices,
)

GRID = Grid((31, 27, 9), np.array([[-0.7, 0, 0, 9], [0, -0.7, 0.5, 12], [0, 0.1, 3.5, -10], [0, 0, 0, 1.0]]))
SUBJECT = SliceSubject("C0007", tissue_type="myxoid", site="thigh")


def ball(centre: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    points = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))
    return np.linalg.norm(points - GRID.to_world(centre), axis=-1) < radius_mm


@pytest.fixture(scope="module")
def volumes() -> CaseVolumes:
    noise = np.random.default_rng(7)
    t1 = noise.gamma(2.0, 100.0, GRID.shape).astype(np.float32)
    t2 = noise.normal(500.0, 90.0, GRID.shape).astype(np.float32) + 300 * ball((15, 13, 4), 5.0)
    return CaseVolumes({"t1": Volume(t1, GRID), "t2": Volume(t2.astype(np.float32), GRID)})


@pytest.fixture(scope="module")
def mask() -> Mask:
    return Mask(ball((15, 13, 4), 5.0).astype(np.uint8), GRID)


@pytest.fixture(scope="module")
def case(volumes: CaseVolumes, mask: Mask) -> IsotropicCase:
    return isotropic_case(volumes, mask, TrainingSliceSettings())


def test_voxels_are_cubes_of_1_mm_over_the_same_field_of_view(case: IsotropicCase) -> None:
    np.testing.assert_allclose(case.grid.spacing, 1.0, rtol=1e-12)
    extent = np.array(GRID.shape) * GRID.spacing
    assert (np.abs(np.array(case.grid.shape) - extent) <= 0.5).all()
    centres = [grid.to_world((np.array(grid.shape) - 1) / 2) for grid in (case.grid, GRID)]
    np.testing.assert_allclose(centres[0], centres[1], atol=1e-9)
    own = GRID.affine[:3, :3] / GRID.spacing
    np.testing.assert_allclose(case.grid.affine[:3, :3], own, atol=1e-12)


@pytest.mark.parametrize(("low", "high"), [(0.5, 99.5), (0.05, 99.95)])
def test_grey_values_are_those_of_mstt_199(volumes: CaseVolumes, mask: Mask, low: float, high: float) -> None:
    """Clipped at percentiles of all voxels, then scaled by the minimum and maximum of what is left."""
    settings = TrainingSliceSettings(low_percentile=low, high_percentile=high)
    case = isotropic_case(volumes, mask, settings)
    for role, volume in volumes.images.items():
        grey, window = case.images[role], case.windows[role]
        values = resample_volume(volume, case.grid).data.astype(np.float64)
        clipped = np.clip(values, *np.percentile(values, [low, high]))
        scaled = (clipped - clipped.min()) / (clipped.max() - clipped.min()) * 255
        np.testing.assert_allclose(grey, scaled, atol=0.51)
        assert (grey.min(), grey.max(), grey.dtype) == (0, 255, np.uint8)
        np.testing.assert_allclose(window, (clipped.min(), clipped.max()), rtol=1e-5)


def test_the_codes_percentiles_are_the_default() -> None:
    assert (TrainingSliceSettings().low_percentile, TrainingSliceSettings().high_percentile) == (0.5, 99.5)


def test_slices_of_all_planes_with_clamped_neighbours(case: IsotropicCase) -> None:
    everything = TrainingSliceSettings(negatives_per_positive=1000)
    slices = list(training_slices(case, everything))
    for anatomical in AnatomicalPlane:
        plane = PicturePlane.of(case.grid, anatomical=anatomical)
        mine = [one for one in slices if one.plane is anatomical]
        assert [one.index for one in mine] == list(range(plane.slice_count))
        for one in mine:
            for shown, volume in ((one.images[role], case.images[role]) for role in ("t1", "t2")):
                for channel, step in enumerate((-1, 0, 1)):
                    neighbour = min(max(one.index + step, 0), plane.slice_count - 1)
                    np.testing.assert_array_equal(shown[channel], plane.to_picture(volume, neighbour))
            np.testing.assert_array_equal(one.tumour, plane.to_picture(case.tumour, one.index))
            assert one.channels.shape == (6, *plane.shape)
            np.testing.assert_array_equal(one.channels[:3], one.images["t1"])
            np.testing.assert_array_equal(one.channels[3:], one.images["t2"])
    assert {one.plane for one in slices} == set(AnatomicalPlane)


def test_by_default_every_slice_with_a_tumour_and_no_other(
    case: IsotropicCase, volumes: CaseVolumes, mask: Mask
) -> None:
    np.testing.assert_array_equal(case.tumour, resample_mask(mask, case.grid).foreground)
    slices = list(training_slices(case, TrainingSliceSettings()))
    for axis_sum, anatomical in (
        (0, AnatomicalPlane.SAGITTAL),
        (1, AnatomicalPlane.CORONAL),
        (2, AnatomicalPlane.AXIAL),
    ):
        others = tuple(axis for axis in range(3) if axis != axis_sum)
        expected = np.flatnonzero(case.tumour.any(axis=others)).tolist()
        assert [one.index for one in slices if one.plane is anatomical] == expected
    assert all(one.tumour_pixels > 0 for one in slices)
    largest = max(one.tumour_pixels for one in slices)
    few = list(training_slices(case, TrainingSliceSettings(above_tumour_pixels=largest - 1)))
    assert 0 < len(few) < len(slices)
    assert {one.tumour_pixels for one in few} == {largest}


def test_empty_slices_come_in_the_asked_ratio_and_spread() -> None:
    pixels = np.zeros(60, dtype=int)
    pixels[20:30], pixels[30:33] = 150, 40
    assert chosen_slices(pixels, TrainingSliceSettings()) == list(range(20, 33))
    assert chosen_slices(pixels, TrainingSliceSettings(above_tumour_pixels=100)) == list(range(20, 30))
    half = chosen_slices(pixels, TrainingSliceSettings(above_tumour_pixels=100, negatives_per_positive=0.5))
    empty = [index for index in half if pixels[index] == 0]
    assert len(half) - len(empty) == 10
    assert len(empty) == 5
    assert min(empty) < 10
    assert max(empty) > 50
    assert chosen_slices(np.zeros(9, dtype=int), TrainingSliceSettings(negatives_per_positive=2.0)) == []
    every = chosen_slices(pixels, TrainingSliceSettings(negatives_per_positive=99.0))
    assert every == list(range(60))


def test_only_the_tumour_of_several_labels_counts(volumes: CaseVolumes) -> None:
    data = ball((15, 13, 4), 5.0).astype(np.uint8)
    data[ball((5, 5, 2), 4.0)] = 2
    both = Mask(data, GRID, {1: TUMOUR, 2: OEDEMA})
    alone = Mask((data == 1).astype(np.uint8), GRID)
    made = [isotropic_case(volumes, one, TrainingSliceSettings()).tumour for one in (both, alone)]
    np.testing.assert_array_equal(made[0], made[1])
    named = Mask(data, GRID, {1: "GTV_Mass", 2: "more"})
    assert isotropic_case(volumes, named, TrainingSliceSettings()).tumour.sum() > made[0].sum()


def test_files_hold_what_memory_holds(volumes: CaseVolumes, mask: Mask, case: IsotropicCase, tmp_path: Path) -> None:
    settings = TrainingSliceSettings(negatives_per_positive=0.3)
    manifest = export_training_slices(volumes, mask, tmp_path, subject=SUBJECT, settings=settings)
    assert json.loads((tmp_path / TRAINING_SLICES_FILE).read_bytes()) == manifest
    read, made = list(read_training_slices(tmp_path)), list(training_slices(case, settings))
    assert len(read) == len(made) == len(manifest["slices"])
    for one, other, listed in zip(read, made, manifest["slices"], strict=True):
        assert (
            (one.plane, one.index) == (other.plane, other.index) == (AnatomicalPlane(listed["view"]), listed["index"])
        )
        np.testing.assert_array_equal(one.channels, other.channels)
        np.testing.assert_array_equal(one.tumour, other.tumour)
        assert listed["tumour_pixels"] == other.tumour_pixels
    first = manifest["slices"][0]
    assert first["t1"]["file"] == f"axial/C0007_t1_{first['index']:04d}.png"
    assert sha256_of_file(tmp_path / first["mask"]["file"]) == first["mask"]["sha256"]
    assert set(np.unique(np.asarray(Image.open(tmp_path / first["mask"]["file"])))) <= {0, 255}
    assert manifest["sources"]["t1"] == content_sha256(volumes["t1"])
    assert manifest["sources"]["mask"] == content_sha256(mask)


def test_the_same_case_gives_the_same_bytes(volumes: CaseVolumes, mask: Mask, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export_training_slices(volumes, mask, tmp_path / name, subject=SUBJECT)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")]
    assert len(files) > 30
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_what_was_changed_is_not_read(volumes: CaseVolumes, mask: Mask, tmp_path: Path) -> None:
    manifest = export_training_slices(volumes, mask, tmp_path, subject=SUBJECT)
    t1, t2 = (tmp_path / manifest["slices"][0][part]["file"] for part in ("t1", "t2"))
    t1.write_bytes(t2.read_bytes())
    with pytest.raises(RejectedInput) as caught:
        list(read_training_slices(tmp_path))
    assert caught.value.code == "training-slice-changed"
    manifest["slices"][0]["t1"]["file"] = "../t1.png"
    for content in ("{}", "[]", json.dumps(manifest | {"format": "other"}), json.dumps(manifest)):
        (tmp_path / TRAINING_SLICES_FILE).write_text(content)
        with pytest.raises(RejectedInput) as caught:
            list(read_training_slices(tmp_path))
        assert caught.value.code == "training-slices-manifest"


def test_what_does_not_fit_is_refused(volumes: CaseVolumes, tmp_path: Path) -> None:
    other = Mask(np.zeros((3, 3, 3), np.uint8), Grid((3, 3, 3), np.eye(4)))
    with pytest.raises(GeometryError):
        export_training_slices(volumes, other, tmp_path, subject=SUBJECT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "values",
    [
        {"spacing_mm": 0.0},
        {"spacing_mm": float("nan")},
        {"low_percentile": 99.6},
        {"high_percentile": 101.0},
        {"above_tumour_pixels": -1},
        {"negatives_per_positive": -0.1},
        {"negatives_per_positive": float("inf")},
        {"planes": ()},
        {"planes": (AnatomicalPlane.AXIAL, AnatomicalPlane.AXIAL)},
    ],
)
def test_unsound_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(RejectedInput) as caught:
        TrainingSliceSettings(**values)
    assert caught.value.code == "training-slice-settings"

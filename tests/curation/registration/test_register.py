"""Registration on a phantom whose misalignment is known: direction, signs, repeatability, refusals."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from curation.registration.motion_search import SearchLevel
from curation.registration.register import Registration, RegistrationSettings, placement_of, register
from curation.registration.source_image import SourceImage
from curation.registration.transfer import CASE, transfer_mask
from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.image.digest import content_sha256
from datasets.image.mask import Mask
from datasets.image.resample import resample_mask
from datasets.image.volume import Grid, Volume
from datasets.phantom.anatomy import draw_anatomy

QUICK = RegistrationSettings(levels=(SearchLevel(5.0, 200), SearchLevel(2.5, 50)), affine_levels=(), samples=20_000)
THROUGH = replace(QUICK, affine_levels=(SearchLevel(5.0, 50),))
FULL = RegistrationSettings(
    levels=(SearchLevel(5.0, 300), SearchLevel(2.5, 50)), affine_levels=(SearchLevel(2.5, 50), SearchLevel(2.0, 50))
)


def turned(degrees: tuple[float, float, float], shift_mm: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """Rigid motion: about x, then y, then z, then the shift."""
    matrix = np.eye(4)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        one, other = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(4)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    matrix[:3, 3] = shift_mm
    return matrix


def centred(shape: tuple[int, int, int], axes: np.ndarray, *, middle: tuple[float, float, float]) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = np.array(middle) - axes @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


MIDDLE = (0.0, 0.0, 0.0)
T1_GRID = centred((80, 76, 20), np.diag([-2.0, -2.0, 5.0]), middle=MIDDLE)
T2_GRID = centred((64, 64, 18), turned((2, 0, 0))[:3, :3] @ np.diag([-2.5, -2.5, 5.5]), middle=MIDDLE)


def painted(grid: Grid, sequence: str, *, motion: np.ndarray | None = None) -> Volume:
    """The phantom's limb on a grid, after the patient moved by `motion`, with noise."""
    anatomy = draw_anatomy("myxoid", np.random.default_rng(12))
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    back = np.linalg.inv(np.eye(4) if motion is None else motion)
    signal = anatomy.signal(points @ back[:3, :3].T + back[:3, 3], sequence=sequence)
    noise = np.random.default_rng(5).normal(scale=0.02, size=grid.shape)
    return Volume((1000 * (signal + noise)).astype(np.float32), grid)


@cache
def pair() -> tuple[Volume, Volume]:
    """T1 and T2 of a patient who lay still."""
    return painted(T1_GRID, "t1"), painted(T2_GRID, "t2")


def registered(t1: Volume, t2: Volume, *, settings: RegistrationSettings | None = None) -> Registration:
    """T1 brought onto T2."""
    moving, fixed = SourceImage(t1, role="t1", title="T1"), SourceImage(t2, role="t2", title="T2")
    return register(moving, fixed, settings=settings)


def tumour(grid: Grid) -> np.ndarray:
    anatomy = draw_anatomy("myxoid", np.random.default_rng(12))
    return anatomy.tumour_distance(grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))) < 0


def elsewhere(volume: Volume, motion: np.ndarray) -> Volume:
    """The same voxels, placed elsewhere in the world: an exact motion without interpolation."""
    return Volume(volume.data, Grid(volume.grid.shape, motion @ volume.grid.affine))


def errors_mm(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances between where two transforms take the limb's voxels."""
    points = T2_GRID.to_world(np.moveaxis(np.indices(T2_GRID.shape)[:, ::6, ::6, ::4], 0, -1)).reshape(-1, 3)
    points = points[np.linalg.norm(points[:, :2], axis=1) < 60]
    return np.linalg.norm((points @ (found - truth)[:3, :3].T) + (found - truth)[:3, 3], axis=1)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


SHIFTS = [tuple(np.eye(3)[axis] * sign * 8.0) for axis in range(3) for sign in (-1, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_is_found_along_each_axis_and_both_ways(shift: tuple[float, float, float]) -> None:
    t1, t2 = pair()
    truth = turned((0, 0, 0), shift)
    found = registered(elsewhere(t1, truth), t2, settings=QUICK)
    assert errors_mm(found.transform, truth).max() < 0.5
    assert found.motion.shift_mm == pytest.approx(8.0, abs=0.5)
    assert found.motion.rotation_degrees < 0.5
    assert found.kept == "rigid"


@pytest.mark.slow
def test_a_rotation_carries_the_tumour_home() -> None:
    t1, t2 = pair()
    truth = turned((4.0, -3.0, 12.0), (5.0, -6.0, 4.0))
    drawn = Mask(tumour(T1_GRID).astype(np.uint8), Grid(T1_GRID.shape, truth @ T1_GRID.affine))
    found = registered(elsewhere(t1, truth), t2, settings=FULL)
    own = tumour(found.still.grid)
    before = resample_mask(drawn, found.still.grid).foreground
    after = transfer_mask(drawn, source=found.placement, target=CASE, grid=found.still.grid).foreground
    assert errors_mm(found.transform, truth).max() < 0.6
    assert dice(before, own) < 0.8
    assert dice(after, own) > 0.9
    best = resample_mask(drawn, found.still.grid, transform=truth).foreground
    assert dice(after, own) > dice(best, own) - 0.02, "worse than what the mask's own voxels allow"
    assert found.after.mutual_information > found.before.mutual_information
    assert found.after.edge_agreement > found.before.edge_agreement


@pytest.mark.slow
def test_a_patient_who_moved_is_followed() -> None:
    """The motion is in the anatomy, not in the header: T1 is sampled from the moved limb."""
    motion = turned((2.0, -2.0, 6.0), (-4.0, 3.0, 5.0))
    found = registered(painted(T1_GRID, "t1", motion=motion), pair()[1], settings=QUICK)
    assert errors_mm(found.transform, motion).max() < 0.6


@pytest.mark.slow
def test_the_fixed_image_is_not_interpolated_and_the_other_comes_onto_its_grid() -> None:
    """Whichever it is, since a fat tumour is drawn on T1; a coarse image comes onto a fine one less surely."""
    t1, t2 = pair()
    truth = turned((0, 0, 5.0))
    for moving, fixed, most_mm in ((elsewhere(t1, truth), t2, 0.6), (elsewhere(t2, truth), t1, 0.9)):
        found = registered(moving, fixed, settings=QUICK)
        assert errors_mm(found.transform, truth).max() < most_mm
        assert found.moved.grid is found.still.grid is fixed.grid
        assert found.moved.data.dtype == found.still.data.dtype == np.float32
        np.testing.assert_array_equal(found.still.data, fixed.data)


@pytest.mark.slow
@pytest.mark.parametrize(("order", "flips"), [((2, 0, 1), (0, 2)), ((0, 2, 1), (1,)), ((1, 0, 2), ())])
def test_the_order_of_the_axes_in_the_file_changes_nothing(order: tuple[int, ...], flips: tuple[int, ...]) -> None:
    t1, t2 = pair()
    truth = turned((1.0, 2.0, 7.0), (4.0, 5.0, -6.0))
    stored = []
    for volume in (elsewhere(t1, truth), t2):
        axes = np.eye(4)[:, [*order, 3]]
        data = np.transpose(np.asarray(volume.data), order)
        for axis in flips:
            data = np.flip(data, axis)
            axes[:, 3] += axes[:, axis] * (data.shape[axis] - 1)
            axes[:, axis] *= -1
        stored.append(Volume(np.ascontiguousarray(data), Grid(data.shape, volume.grid.affine @ axes)))
    found = registered(stored[0], stored[1], settings=QUICK)
    assert errors_mm(found.transform, truth).max() < 0.5
    assert found.still.grid is stored[1].grid


@pytest.mark.slow
def test_images_far_from_the_worlds_origin_and_from_each_other() -> None:
    """Starts from the centres of intensity when the scanner's own alignment says little."""
    t1, t2 = pair()
    away = turned((0, 0, 0), (900.0, -700.0, 1200.0))
    truth = turned((0, 0, 6.0), (45.0, -40.0, 10.0))
    found = registered(elsewhere(t1, away @ truth), elsewhere(t2, away), settings=QUICK)
    assert errors_mm(np.linalg.inv(away) @ found.transform @ away, truth).max() < 0.5


@pytest.mark.slow
def test_the_scanners_alignment_stands_where_no_motion_is_better() -> None:
    t2 = pair()[1]
    found = registered(t2, t2, settings=QUICK)
    assert found.kept == "header"
    np.testing.assert_array_equal(found.transform, np.eye(4))
    np.testing.assert_array_equal(found.moved.data, t2.data)


@pytest.mark.slow
def test_an_affine_motion_is_kept_only_where_the_images_were_stretched() -> None:
    t1, t2 = pair()
    truth = turned((0, 0, 4.0), (3.0, 0, 0)) @ np.diag([1.05, 0.96, 1.0, 1.0])
    stretched = painted(T1_GRID, "t1", motion=truth)
    found = registered(stretched, t2, settings=FULL)
    assert found.kept == "affine"
    assert errors_mm(found.transform, truth).mean() < 0.8
    strict = registered(stretched, t2, settings=replace(FULL, max_stretch=0.01))
    assert strict.kept == "rigid"
    assert "stretches" in strict.reason
    plain = registered(elsewhere(t1, turned((0, 0, 4.0))), t2, settings=FULL)
    assert plain.kept == "rigid"
    assert np.abs(np.array(plain.motion.stretch) - 1).max() < 1e-9


def signature(found: Registration) -> list[str]:
    """The values that must be the same to the last bit."""
    return [found.transform.tobytes().hex(), content_sha256(found.moved), content_sha256(found.still)]


def moved_pair() -> tuple[Volume, Volume]:
    t1, t2 = pair()
    return elsewhere(t1, turned((1.0, 0, 8.0), (6.0, -5.0, 3.0))), t2


AGAIN = """
import json
from tests.curation.registration.test_register import THROUGH, moved_pair, registered, signature
print(json.dumps(signature(registered(*moved_pair(), settings=THROUGH))))
"""


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes_in_this_process_and_another() -> None:
    here = registered(*moved_pair(), settings=THROUGH)
    assert signature(registered(*moved_pair(), settings=THROUGH)) == signature(here)
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "2", "PYTHONPATH": str(root)}
    there = subprocess.run(
        [sys.executable, "-c", AGAIN], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(there.stdout.splitlines()[-1]) == signature(here)
    other = registered(*moved_pair(), settings=replace(THROUGH, seed=21))
    assert signature(other) != signature(here)


@pytest.mark.slow
def test_ants_finds_the_same_motion_and_repeats_itself_to_the_bit() -> None:
    t1, t2 = moved_pair()
    settings = replace(QUICK, preset="ants")
    found = registered(t1, t2, settings=settings)
    assert errors_mm(found.transform, registered(t1, t2, settings=QUICK).transform).mean() < 0.5
    assert signature(registered(t1, t2, settings=settings)) == signature(found)
    assert found.as_record()["method"].startswith("ANTs")
    assert signature(registered(t1, t2, settings=replace(settings, seed=21))) != signature(found)


@pytest.mark.parametrize(("preset", "motion"), [("fastest", "rigid"), ("fast", "elastic")])
def test_unknown_presets_and_motions_are_refused(preset: str, motion: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        RegistrationSettings(preset=preset, motion=motion)
    assert caught.value.code == "registration-settings"


@pytest.mark.slow
def test_nothing_of_the_determinism_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "7")
    np.random.seed(3)
    random.seed(3)
    expected = np.random.RandomState(3).random(), random.Random(3).random()
    registered(*moved_pair(), settings=replace(QUICK, preset="ants"))
    assert (np.random.random(), random.random()) == expected
    assert os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] == "7"


@pytest.mark.slow
def test_the_record_says_how_it_came_about_and_carries_masks() -> None:
    t1, t2 = moved_pair()
    found = registered(t1, t2, settings=THROUGH)
    record = json.loads(canonical_json(found.as_record()))
    np.testing.assert_array_equal(placement_of(record, folder=Path()).transform, found.transform)
    assert record["sources"] == {"t1": content_sha256(t1), "t2": content_sha256(t2)}
    assert record["settings"]["seed"] == 20
    assert record["versions"]["antspyx"][0].isdigit()
    assert record["after"]["mutual_information"] > record["before"]["mutual_information"]
    assert record["quality"]["verdict"] == found.quality.verdict.value
    assert len(canonical_json(record)) < 8000
    with pytest.raises(RejectedInput) as caught:
        placement_of({"format": "else"}, folder=Path())
    assert caught.value.code == "registration-record"


def spoilt(volume: Volume, value: float, *, everywhere: bool = False) -> Volume:
    data = np.array(volume.data)
    data[... if everywhere else (0, 0, 0)] = value
    return Volume(data, volume.grid)


@pytest.mark.parametrize(
    ("t1", "t2", "code"),
    [
        (spoilt(pair()[0], np.nan), pair()[1], "image-not-finite"),
        (pair()[0], spoilt(pair()[1], -np.inf), "image-not-finite"),
        (spoilt(pair()[0], 7.0, everywhere=True), pair()[1], "image-constant"),
        (pair()[0], spoilt(spoilt(pair()[1], 7.0, everywhere=True), 9.0), "image-constant"),
        (elsewhere(pair()[0], turned((0, 0, 0), (0, 0, 500.0))), pair()[1], "no-overlap"),
        (Volume(pair()[0].data[:, :, :3], Grid((80, 76, 3), T1_GRID.affine)), pair()[1], "image-too-thin"),
        (elsewhere(pair()[0], np.eye(4) + 0.2 * np.eye(4)[:, [1, 0, 2, 3]] * [0, 1, 0, 0]), pair()[1], "grid-sheared"),
    ],
)
def test_what_cannot_be_registered_is_refused_by_name(t1: Volume, t2: Volume, code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        registered(t1, t2, settings=QUICK)
    assert caught.value.code == code
    assert caught.value.remedy


def test_nothing_heavy_is_imported_before_the_first_registration() -> None:
    heavy = ("ants", "scipy", "SimpleITK")
    code = f"import sys, curation.registration.register; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

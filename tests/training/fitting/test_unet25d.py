"""Training the 2.5D U-Net: what it is shown, that its loss falls, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.errors import GeometryError, RejectedInput
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from tests.training.support.small_training import make_small, small_choice
from tests.training.support.synthetic import blob_case
from training.fitting.examples import Example
from training.fitting.running.settings import LoopSettings
from training.fitting.slice_sampler import PictureSampler
from training.fitting.slices import SliceSettings
from training.inputs.augmentation import Augmentation
from training.inputs.slice_triplets import PictureRule
from training.methods.train import package_trained, train_method
from training.model_package import read_description
from training.segmenters.slices.slice_plan import SlicePlan
from training.table.table import method_called

UNET = method_called("unet-25d")
IMAGES = ("t1", "t2")
STILL = Augmentation(mirror=0.0, turn=0.0, intensity=0.0, noise=0.0, blur=0.0, gamma=0.0)
PLAN = SlicePlan(PictureRule(32), widths=(4, 8))
FAST = SliceSettings(LoopSettings(1), PLAN, augmentation=STILL)


def sampler(case: Example, **changed: Any) -> PictureSampler:
    """The sampler of one case."""
    return PictureSampler([case], IMAGES, PLAN, shown=replace(FAST, **changed).shown)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


@pytest.mark.slow
def test_loss_falls_and_progress_is_told(tell_figure: Callable[[str], None]) -> None:
    told: list[tuple[int, int, float]] = []
    fitted = train_method(
        small_choice(UNET, IMAGES, iterations=120),
        [blob_case(0), blob_case(1)],
        progress=lambda *now: told.append(now),
    )
    [losses] = fitted.losses
    assert [now[:2] for now in told] == [(step, 120) for step in range(1, 121)]
    assert [now[2] for now in told] == losses
    first, last = np.mean(losses[:10]), np.mean(losses[-10:])
    tell_figure(f"fit of two synthetic cases: loss {first:.3f} -> {last:.3f} in 120 iterations")
    assert last < 0.7 * first
    assert fitted.cases == ("case-0", "case-1")


@pytest.mark.slow
def test_other_seeds_cases_and_shares_give_other_weights(tmp_path: Path) -> None:
    cases = [blob_case(number) for number in range(3)]

    def digest(name: str, examples: list[Example], **other: float) -> str:
        fitted = train_method(small_choice(UNET, IMAGES, **other), examples)
        package_trained([fitted], tmp_path / name, name="unet", version="1", inputs={"snapshot": "c" * 64})
        return read_description(tmp_path / name).weights_sha256

    found = [
        digest("one", cases),
        digest("seed", cases, seed=1),
        digest("cases", cases[:2]),
        digest("empty", cases, empty_slices=0.9),
    ]
    assert len({*found}) == 4
    assert digest("again", cases[::-1]) == found[0]


def test_package_names_its_snapshot_and_no_patient(tmp_path: Path) -> None:
    fitted = train_method(small_choice(UNET, IMAGES), [blob_case(0)])
    package_trained([fitted], tmp_path / "m", name="unet", version="2", inputs={"snapshot": "d" * 64})
    description = read_description(tmp_path / "m")
    assert description.inputs == {"snapshot": "d" * 64}
    assert (description.kinds, description.drawn_label) == (IMAGES, "Tumour")
    assert (description.parameters["widths"], description.parameters["input_size"]) == ([4, 8], 32)
    assert description.parameters["fit"]["choice"]["empty_slices"] == 0.25
    assert b"patient-0" not in (tmp_path / "m" / "model.json").read_bytes()


def test_share_of_empty_slices() -> None:
    case = blob_case(0, shape=(24, 24, 12), radius_mm=8.0)
    shares = {}
    for wanted in (0.0, 0.5):
        shown = sampler(case, batch=64, empty_slices=wanted)
        shares[wanted] = np.mean([not target.any() for target in shown.batch(np.random.default_rng(0))[1]])
    assert shares[0.0] == 0.0
    assert 0.3 < shares[0.5] < 0.7


def test_where_every_slice_shows_tumour_none_without_is_shown() -> None:
    case = blob_case(0, shape=(24, 24, 3), radius_mm=11.0)
    shown = sampler(case, batch=16, empty_slices=0.9)
    assert all(target.any() for target in shown.batch(np.random.default_rng(0))[1])


def test_the_three_slices_of_an_image_change_their_greys_alike() -> None:
    """T2's triplet may become brighter than T1's, but the three slices of each keep their order of greys."""
    case = blob_case(0)
    brighter = replace(STILL, intensity=1.0, together=3)
    for seed in range(5):
        plain, changed = (
            sampler(case, batch=1, augmentation=rule).batch(np.random.default_rng(seed))[0][0]
            for rule in (STILL, brighter)
        )
        for image in (slice(0, 3), slice(3, 6)):
            inside = (changed[image] > 0.0) & (changed[image] < 1.0)
            slope, offset = np.polyfit(plain[image][inside].numpy(), changed[image][inside].numpy(), 1)
            np.testing.assert_allclose(
                changed[image][inside].numpy(), slope * plain[image][inside].numpy() + offset, atol=1e-4
            )


@pytest.mark.parametrize(("axis", "rows_flip"), [(2, True), (1, False), (0, False)])
def test_only_axial_pictures_are_turned_upside_down(axis: int, rows_flip: bool) -> None:
    case = replace(blob_case(0, shape=(32, 32, 32), radius_mm=5.0), slice_axis=axis)
    mirror = replace(STILL, mirror=1.0)
    same, flipped = (
        sampler(case, batch=1, augmentation=rule, empty_slices=0.0).batch(np.random.default_rng(7))[1][0, 0]
        for rule in (STILL, mirror)
    )
    expected = same.flip(1).flip(0) if rows_flip else same.flip(1)
    assert (flipped == expected).all()


def test_mask_on_another_grid() -> None:
    case = blob_case(0)
    elsewhere = Mask(case.mask.data, Grid(case.mask.grid.shape, np.eye(4)))
    with pytest.raises(GeometryError):
        replace(case, mask=elsewhere)


def test_no_such_slice_axis() -> None:
    with pytest.raises(RejectedInput, match="slice-axis"):
        replace(blob_case(0), slice_axis=4)


def test_a_tumour_that_no_picture_shows_is_refused() -> None:
    case = blob_case(0, shape=(400, 400, 2), radius_mm=200.0)
    data = np.zeros(case.mask.grid.shape, np.uint8)
    data[200, 200, 1] = 1
    dot = replace(case, mask=Mask(data, case.mask.grid))
    with pytest.raises(RejectedInput, match="fit-no-tumour"):
        train_method(small_choice(UNET, IMAGES), [dot])


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 0},
        {"empty_slices": 1.0},
        {"empty_slices": -0.1},
        {"epochs": 0},
    ],
)
def test_settings_out_of_range(change: dict[str, object]) -> None:
    with pytest.raises(RejectedInput) as caught:
        replace(FAST, **change)
    assert caught.value.code == "fit-settings"

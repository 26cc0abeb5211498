"""Fitting learns, repeats itself to the bit, and refuses what it cannot learn from."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import GeometryError, RejectedInput
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from tests.training.support.synthetic import blob_case
from training.fitting.unet25d import FitSettings, FittedModel, TrainingCase, fit_unet25d, package_fitted
from training.inputs.slice_triplets import PictureRule
from training.model_package import read_description

FAST = FitSettings(steps=4, batch_size=4, widths=(4, 8), rule=PictureRule(input_size=32), device="cpu")


def same(one: FittedModel, other: FittedModel) -> bool:
    return one.losses == other.losses and all(
        tensor.tobytes() == other.tensors[name].tobytes() for name, tensor in one.tensors.items()
    )


@pytest.mark.slow
def test_loss_falls_and_progress_is_told(tell_figure: Callable[[str], None]) -> None:
    settings = replace(FAST, steps=100, batch_size=8, widths=(8, 16, 32), learning_rate=1e-2)
    told: list[tuple[int, int, float]] = []
    fitted = fit_unet25d([blob_case(0), blob_case(1)], settings=settings, progress=lambda *now: told.append(now))
    assert [now[:2] for now in told] == [(step, 100) for step in range(1, 101)]
    assert tuple(now[2] for now in told) == fitted.losses
    first, last = np.mean(fitted.losses[:5]), np.mean(fitted.losses[-5:])
    tell_figure(f"fit of two synthetic cases: loss {first:.3f} -> {last:.3f} in 100 steps")
    assert last < 0.6 * first
    assert (fitted.case_count, fitted.patient_count, fitted.device) == (2, 2, "cpu")


@pytest.mark.slow
def test_same_seed_and_cases_give_the_same_bytes(tmp_path: Path) -> None:
    cases = [blob_case(number) for number in range(3)]
    one, other = fit_unet25d(cases, settings=FAST), fit_unet25d(cases[::-1], settings=FAST)
    assert same(one, other)
    digests = [
        package_fitted(fitted, tmp_path / name, name="unet", version="1", snapshot_digest="c" * 64)
        for name, fitted in (("one", one), ("other", other))
    ]
    assert digests[0] == digests[1]
    assert not same(one, fit_unet25d(cases, settings=replace(FAST, seed=1)))
    assert not same(one, fit_unet25d(cases[:2], settings=FAST))


def test_torch_is_left_as_it_was() -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit_unet25d([blob_case(0)], settings=replace(FAST, steps=1))
    assert torch.equal(torch.rand(3), expected)


def test_package_names_its_snapshot(tmp_path: Path) -> None:
    fitted = fit_unet25d([blob_case(0)], settings=FAST)
    package_fitted(fitted, tmp_path / "m", name="unet", version="2", snapshot_digest="d" * 64)
    description = read_description(tmp_path / "m")
    assert description.inputs == {"snapshot": "d" * 64}
    assert description.parameters["widths"] == [4, 8]
    assert description.parameters["input_size"] == 32
    assert description.parameters["fit"]["seed"] == 0
    assert description.parameters["fit"]["cases"] == 1
    assert b"patient-0" not in (tmp_path / "m" / "model.json").read_bytes()


def test_share_of_empty_slices() -> None:
    from training.fitting.unet25d import SliceBatches

    case = blob_case(0, shape=(24, 24, 12), radius_mm=8.0)
    shares = {}
    for wanted in (0.0, 0.5):
        slices = SliceBatches([case], replace(FAST, batch_size=64, empty_slices=wanted))
        shares[wanted] = np.mean([not target.any() for target in slices.batch()[1]])
    assert shares[0.0] == 0.0
    assert 0.3 < shares[0.5] < 0.7


def test_mask_on_another_grid() -> None:
    case = blob_case(0)
    elsewhere = Mask(case.mask.data, Grid(case.mask.grid.shape, np.eye(4)))
    with pytest.raises(GeometryError):
        replace(case, mask=elsewhere)


def empty(case: TrainingCase) -> TrainingCase:
    return replace(case, mask=Mask(np.zeros_like(case.mask.data), case.mask.grid))


@pytest.mark.parametrize(
    ("cases", "code"),
    [
        ([], "fit-no-cases"),
        ([blob_case(0), blob_case(0)], "fit-duplicate-case"),
        ([empty(blob_case(0))], "fit-no-tumour"),
        ([replace(blob_case(0), slice_axis=4)], "slice-axis"),
    ],
)
def test_cases_to_learn_nothing_from(cases: list[TrainingCase], code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        fit_unet25d(cases, settings=FAST)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"empty_slices": 1.0},
        {"empty_slices": -0.1},
        {"seed": -1},
        {"widths": (8,)},
        {"widths": (8, 0)},
        {"rule": PictureRule(input_size=31)},
    ],
)
def test_settings_out_of_range(change: dict[str, object]) -> None:
    with pytest.raises(RejectedInput) as caught:
        replace(FAST, **change)
    assert caught.value.code == "fit-settings"


def test_a_fit_that_diverges_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def blow_up(optimiser: torch.optim.Adam) -> None:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                parameter.data.fill_(float("inf"))

    monkeypatch.setattr(torch.optim.Adam, "step", blow_up)
    with pytest.raises(RejectedInput) as caught:
        fit_unet25d([blob_case(0)], settings=FAST)
    assert caught.value.code == "fit-diverged"

"""Each trainable method, from examples to a package that draws; what cannot be trained is refused before it begins."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from datasets.image.orientation import as_ras
from datasets.image.volume import Volume
from tests.training.support.ball_examples import ball, ball_example
from tests.training.support.small_training import make_small, small_choice
from training.fitting import click_session, clicks
from training.fitting.choice import Trained, TrainingChoice
from training.methods.loading import load_segmenter
from training.methods.train import package_trained, train_method
from training.model_package import WEIGHTS_NAME, ModelDescription, read_description, read_package
from training.pretrained.shipped import shipped_packages
from training.prompts.prompt import Click, Prompts
from training.prompts.simulated_points import points_mm
from training.prompts.simulated_points import six_points as simulated
from training.segmenters.segmenter import SegmentationRequest
from training.table.table import method_called, trainable_methods

EXAMPLES = [ball_example(number, ("t1", "t2", "ct", "pet"), shape=(24, 24, 12)) for number in range(3)]
INPUTS = {"cohort": "a" * 64}
TRAINABLE = [method.name for method in trainable_methods()]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and canvases small enough for a test."""
    make_small(monkeypatch)


def choice(method: str, channels: tuple[str, ...] = ("t1",), **more: Any) -> TrainingChoice:
    return small_choice(method_called(method), channels, **more)


def request(channels: tuple[str, ...], method: str) -> SegmentationRequest:
    example = ball_example(9, channels, shape=(24, 24, 12))
    grid = as_ras(example.volumes[channels[0]]).grid
    points = points_mm(simulated(example.inside, grid.spacing, np.random.default_rng(0)), grid)
    prompts = Prompts(extreme_points=points) if method == "six-points" else Prompts((Click(points[0]),))
    return SegmentationRequest(example.volumes, channels[0], prompts)


PAIRS = [(method, ("t1",)) for method in TRAINABLE]
PAIRS += [
    ("six-points", ("t1", "t2")),
    ("clicks-2d", ("t2", "t1")),
    ("two-stage", ("ct", "pet")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "channels"), PAIRS)
def test_from_examples_to_a_model_that_draws(method: str, channels: tuple[str, ...], tmp_path: Path) -> None:
    chosen = choice(method, channels)
    fitted = train_method(chosen, EXAMPLES, checkpoints=tmp_path / "checkpoints")
    digest = package_trained([fitted], tmp_path / "model", name=method, version="1", inputs=INPUTS)
    description = read_description(tmp_path / "model")
    assert description.method is method_called(method)
    fit = description.parameters["fit"]
    assert fit["choice"] == json.loads(json.dumps(chosen.described))
    assert fit["members"][0]["cases"] == ["case-0", "case-1", "case-2"]
    assert len(fit["members"][0]["last_loss"]) == (2 if method == "two-stage" else 1)
    asked = request(channels, method)
    segmenter = load_segmenter(tmp_path / "model", expected_digest=digest)
    answer = segmenter.segment(asked).probability
    answer.grid.require_match(asked.volumes[channels[0]].grid, what="The answer")
    assert answer.data.std() > 0.0
    with pytest.raises(RejectedInput, match="sequence-missing"):
        segmenter.segment(replace(asked, volumes={name: asked.volumes[name] for name in channels[1:]}))
    # Trained again, it is the same to the last bit.
    repeated = train_method(chosen, EXAMPLES[::-1])
    assert package_trained([repeated], tmp_path / "twin", name=method, version="1", inputs=INPUTS) == digest


@pytest.mark.slow
@pytest.mark.parametrize("method", ["six-points", "two-stage"])
def test_an_ensemble_is_the_mean_of_its_members(method: str, tmp_path: Path) -> None:
    members = [train_method(choice(method, seed=seed), EXAMPLES) for seed in (0, 1)]
    asked, answers = request(("t1",), method), []
    # From one previous probability all look at the same region; on their own each looks where it found something.
    grid = asked.volumes["t1"].grid
    asked = replace(asked, previous=Volume(ball(grid, (12, 12, 6), 8.0).astype(np.float32), grid))
    alike = {"mirrored": []} if method == "six-points" else {}
    for name, own in (("one", members[:1]), ("other", members[1:]), ("both", members)):
        digest = package_trained(own, tmp_path / name, name="a", version="1", inputs=INPUTS, parameters=alike)
        segmenter = load_segmenter(tmp_path / name, expected_digest=digest)
        answers.append(segmenter.segment(asked).probability.data.astype(float))
    one, other, both = answers
    assert np.abs(one - other).max() > 1e-4
    assert (both >= np.minimum(one, other) - 1e-3).all()
    assert (both <= np.maximum(one, other) + 1e-3).all()
    assert np.abs(both - one).max() > 1e-5
    if method == "two-stage":
        _, tensors = read_package(tmp_path / "both", expected_digest=digest)
        widths = [tensors[f"{number}/input_block.conv1.conv.weight"].shape[1] for number in range(4)]
        assert widths == [4, 4, 1, 1], "refiners first"


def test_tensors_are_kept_once_and_in_half_precision(tmp_path: Path) -> None:
    fitted = train_method(choice("clicks-3d"), EXAMPLES)
    package_trained([fitted], tmp_path / "model", name="a", version="1", inputs=INPUTS)
    numbers = sum(tensor.size for name, tensor in fitted.networks[0].items() if not name.startswith("skip_layers."))
    assert (tmp_path / "model" / WEIGHTS_NAME).stat().st_size < 2 * numbers + 20_000


def test_deepedit_alone_has_sessions_without_clicks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def noted(examples: Any, settings: Any, **_: Any) -> Any:
        seen[method] = settings
        return {}, [0.0]

    monkeypatch.setattr(clicks, "fit_refiner", noted)
    monkeypatch.setattr(clicks, "fit_automatic", noted)
    for method in ("clicks-2d", "clicks-3d", "two-stage"):
        train_method(choice(method), EXAMPLES)
    method = "deepedit"
    train_method(choice(method, click_free=0.5), EXAMPLES)
    assert {method: settings.click_free for method, settings in seen.items() if settings.click_free} == {
        "deepedit": 0.5
    }
    assert {method for method, settings in seen.items() if settings.at_every_click} == {
        "clicks-2d",
        "two-stage",
    }


@pytest.mark.slow
def test_a_two_stage_training_goes_on_from_both_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    chosen = choice("two-stage", iterations=60, automatic_iterations=50, canvas=(16, 16, 16))
    for module in (clicks, click_session):
        monkeypatch.setattr(
            module, "dice_and_cross_entropy", lambda logits, target: (logits - target.float()).square().mean()
        )
    done: list[int] = []

    def progress(number: int, of: int, loss: float) -> None:
        done.append(number)
        if len(done) == 102:
            raise Stopped

    with pytest.raises(Stopped):
        train_method(chosen, EXAMPLES, checkpoints=tmp_path, progress=progress)
    assert done[-1] == 52
    assert {path.name for path in tmp_path.glob("*.safetensors")} == {"automatic.safetensors", "refiner.safetensors"}
    later: list[int] = []
    train_method(chosen, EXAMPLES, checkpoints=tmp_path, progress=lambda number, of, loss: later.append(number))
    assert later == list(range(51, 61)), "the first network is done, the refiner goes on from its checkpoint"


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("lite-medsam", {}, "method-not-trainable"),
    ("medsam-vit", {}, "method-not-trainable"),
    ("clicks-3d", {"iterations": 0}, "fit-settings"),
    ("clicks-3d", {"accumulate": 10**9}, "fit-settings"),
    ("unet-25d", {"options": {"batch": 10**9}}, "fit-settings"),
    ("two-stage", {"options": {"automatic_iterations": -1}}, "fit-settings"),
    ("deepedit", {"options": {"click_free": 1.5}}, "fit-settings"),
    ("deepedit", {"options": {"click_free": float("nan")}}, "fit-settings"),
    ("unet-25d", {"options": {"empty_slices": 1.0}}, "fit-settings"),
    ("unet-25d", {"options": {"empty_slices": -0.1}}, "fit-settings"),
    ("clicks-3d", {"channels": ()}, "fit-channels"),
    ("clicks-3d", {"channels": ("t1", "t1")}, "fit-channels"),
    ("clicks-3d", {"channels": ("x-ray",)}, "fit-channels"),
    ("clicks-3d", {"options": {"canvas": (16, 16)}}, "fit-canvas"),
    ("clicks-3d", {"options": {"canvas": (16, 16, 0)}}, "fit-canvas"),
    ("clicks-2d", {"options": {"canvas": (16, 16, 8)}}, "fit-canvas"),
    ("six-points", {"options": {"canvas": (16, 16, 8)}}, "fit-option"),
    ("clicks-3d", {"options": {"click_free": 0.5}}, "fit-option"),
]


@pytest.mark.parametrize(("method", "wrong", "code"), WRONG)
def test_what_cannot_be_trained_is_refused_at_once(method: str, wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        TrainingChoice(method_called(method), **wrong)
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_choice_is_that_of_packages_that_earlier_versions_made(tmp_path: Path) -> None:
    """They keep options of other methods too, and no label; what has no meaning for a method is ignored."""
    kept = {"method": "clicks-2d", "channels": ["t1"], "iterations": None, "automatic_iterations": None,
            "click_free": 0.25, "canvas": None, "seed": 0}  # fmt: skip
    shipped = read_description(shipped_packages()["clicks-2d"])
    assert shipped.parameters["fit"]["choice"] == kept
    asked = TrainingChoice(method_called("clicks-2d"))
    assert asked.is_that_of(shipped)
    assert TrainingChoice.from_described(kept) == replace(asked, options={"canvas": None})
    for other in ({"iterations": 5}, {"seed": 1}, {"channels": ("t2",)}, {"options": {"canvas": (64, 64)}}):
        assert not TrainingChoice(method_called("clicks-2d"), **other).is_that_of(shipped)


@pytest.mark.parametrize("method", TRAINABLE)
def test_without_examples_nothing_is_trained(method: str) -> None:
    with pytest.raises(RejectedInput, match="fit-no-cases"):
        train_method(choice(method), [])


def test_members_trained_or_built_otherwise_are_refused(tmp_path: Path) -> None:
    one = Trained(choice("six-points"), {"network": {"channels": 4}}, [{}], [[1.0]])
    others = [
        replace(one, choice=replace(one.choice, channels=("t2",))),
        replace(one, parameters={"network": {"channels": 4, "strides": []}}),
    ]
    for other in others:
        with pytest.raises(RejectedInput, match="members-differ"):
            package_trained([one, other], tmp_path / "model", name="a", version="1", inputs=INPUTS)
    assert not (tmp_path / "model").exists()


def test_members_that_began_with_other_weights_are_refused(tmp_path: Path) -> None:
    one = Trained(choice("unet-25d"), {"first_weights": "a" * 64}, [{}], [[1.0]])
    for parameters in ({}, {"first_weights": "b" * 64}):
        other = replace(one, parameters=parameters)
        with pytest.raises(RejectedInput, match="began with other weights"):
            package_trained([one, other], tmp_path / "model", name="a", version="1", inputs=INPUTS)


def test_a_checkpoint_of_other_masks_is_refused(tmp_path: Path) -> None:
    """A mask that was corrected while a training was stopped is not learned from beside the one of before."""
    chosen = choice("unet-25d", iterations=51)
    corrected = EXAMPLES[0].mask.foreground.copy()
    corrected[12, 12, 6] ^= True
    others = [replace(EXAMPLES[0], mask=Mask(corrected.astype(np.uint8), EXAMPLES[0].mask.grid)), *EXAMPLES[1:]]

    def stop(done: int, *_told: object) -> None:
        if done == 50:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train_method(chosen, EXAMPLES, checkpoints=tmp_path, progress=stop)
    with pytest.raises(RejectedInput, match="fit-checkpoint"):
        train_method(chosen, others, checkpoints=tmp_path)
    left = train_method(chosen, EXAMPLES[::-1], checkpoints=tmp_path)
    assert len(left.losses[0]) == 51


def test_a_model_that_began_with_other_weights_is_not_that_of_a_choice(tmp_path: Path) -> None:
    first, other = tmp_path / "first.safetensors", tmp_path / "other.safetensors"
    first.write_bytes(b"first")
    other.write_bytes(b"other")
    parameters = {"first_weights": hashlib.sha256(b"first").hexdigest()}
    begun, bare = (ModelDescription("a", "1", method_called("unet-25d"), each, {}) for each in (parameters, {}))

    def asked(file: Path | None) -> TrainingChoice:
        return choice("unet-25d", **({"encoder_weights": str(file)} if file else {}))

    assert asked(first).is_that_of(begun)
    assert asked(None).is_that_of(bare)
    assert not any(one.is_that_of(model) for one, model in ((asked(other), begun), (asked(None), begun)))
    assert not asked(first).is_that_of(bare)
    with pytest.raises(RejectedInput, match="option-file"):
        asked(tmp_path / "gone").is_that_of(begun)


@pytest.mark.parametrize("method", ["six-points", "unet-3d"])
def test_an_ensemble_draws_each_member_as_its_fold_planned(method: str, tmp_path: Path) -> None:
    """Folds of other spacings plan other canvases and strides; all load, and each keeps its own."""
    others = [ball_example(number, shape=(48, 24, 6), spacing=(0.7, 0.7, 5.0)) for number in (3, 4)]
    chosen = choice(method, iterations=1)
    members = [train_method(chosen, examples) for examples in (EXAMPLES[:2], others)]
    digest = package_trained(members, tmp_path / "model", name="a", version="1", inputs=INPUTS)
    found = read_description(tmp_path / "model").parameters
    for name, of_all in method_called(method).planned.items():
        own = [json.loads(json.dumps(dict(member.parameters)))[name] for member in members]
        assert found.get(of_all, [found[name]] * 2) == own
    assert len({tuple(each) for each in found["spacings"]}) == 2
    asked = request(("t1",), method)
    answer = load_segmenter(tmp_path / "model", expected_digest=digest).segment(asked)
    assert np.isfinite(answer.probability.data).all()

"""A fitted U-Net draws where the tumour lies, on any axis order, and refuses what it cannot read."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.errors import GeometryError, RejectedInput
from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import PicturePlane
from tests.training.support.small_training import SMALL, make_small, small_choice
from tests.training.support.synthetic import blob_case, reordered
from training.fitting.examples import Example
from training.inputs.slice_triplets import PictureRule, grey_stack, triplets
from training.measures.metrics import dice
from training.methods.loading import load_segmenter
from training.methods.train import package_trained, train_method
from training.model_package import ModelDescription, read_description, read_package, write_package
from training.prompts.prompt import Click, Prompts
from training.segmenters.postprocessing import Cleaning, cleaned
from training.segmenters.segmenter import SegmentationRequest, Segmenter
from training.table.table import method_called

pytestmark = pytest.mark.slow

UNET = method_called("unet-25d")


def trained(
    folder: Path, cases: Sequence[Example], version: str, *, seeds: Sequence[int] = (0,), cleaning: str = "none",
    **choice: Any,
) -> Segmenter:  # fmt: skip
    """A small network of some cases, packaged and loaded; several are an ensemble."""
    with pytest.MonkeyPatch.context() as patch:
        small = {"widths": (8, 16, 32), "rule": PictureRule(input_size=48), "batch": 8}
        patch.setitem(SMALL, ("training.fitting.unet25d", "SliceSettings"), small)
        make_small(patch)
        asked = {"channels": ("t1", "t2"), "iterations": 150} | choice
        members = [train_method(small_choice(UNET, **asked, seed=seed), cases) for seed in seeds]
        digest = package_trained(
            members, folder, name="unet", version=version, inputs={"snapshot": "b" * 64},
            parameters={"cleaning": cleaning},
        )  # fmt: skip
    return load_segmenter(folder, expected_digest=digest)


CASES = [blob_case(number) for number in range(4)]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return trained(tmp_path_factory.mktemp("models") / "unet", CASES, "3")


def request(number: int, **rest: object) -> SegmentationRequest:
    case = blob_case(number)
    return SegmentationRequest(case.volumes, "t2", **rest)


def test_dice_rises_on_what_it_learned_from(segmenter: Segmenter, tmp_path: Path) -> None:
    raw = trained(tmp_path / "raw", CASES, "0", iterations=1)
    truth = blob_case(0).mask.data
    before, after = (
        dice(np.asarray(model.segment(request(0)).probability.data) > 0.5, truth) for model in (raw, segmenter)
    )
    assert after > 0.85
    assert after > before + 0.3


def test_draws_a_tumour_it_never_saw(segmenter: Segmenter) -> None:
    answer = segmenter.segment(request(9))
    assert dice(np.asarray(answer.probability.data) > 0.5, blob_case(9).mask.data) > 0.8
    assert (answer.model_version, answer.score) == ("unet-3", None)
    assert answer.probability.data.dtype == np.float32


@pytest.mark.parametrize(
    ("order", "flips"), [((2, 0, 1), (True, False, True)), ((0, 2, 1), (False, True, True)), ((1, 0, 2), (True,) * 3)]
)
def test_lies_where_the_tumour_lies_on_any_axis_order(segmenter: Segmenter, order, flips) -> None:
    asked = request(9)
    turned = replace(
        asked,
        volumes={role: reordered(volume, order=order, flips=flips) for role, volume in asked.volumes.items()},
        slice_axis=order.index(2),
    )
    found = segmenter.segment(turned).probability
    mask = blob_case(9).mask
    truth = reordered(Volume(mask.data, mask.grid), order=order, flips=flips)
    assert found.grid.matches(truth.grid)
    inside = np.asarray(found.data) > 0.5
    assert dice(inside, truth.data) > 0.8
    centre, expected = (found.grid.to_world(np.argwhere(where).mean(axis=0)) for where in (inside, truth.data))
    assert np.linalg.norm(centre - expected) < 2.0


def test_prompts_change_nothing(segmenter: Segmenter) -> None:
    alone = segmenter.segment(request(9)).probability.data
    clicked = segmenter.segment(request(9, prompts=Prompts(clicks=(Click((0.0, 0.0, 0.0)),)))).probability.data
    assert np.array_equal(alone, clicked)


def test_only_the_requested_slices_are_drawn(segmenter: Segmenter) -> None:
    whole = np.asarray(segmenter.segment(request(9)).probability.data)
    some = np.asarray(segmenter.segment(request(9, slices=(4, 3))).probability.data)
    assert np.allclose(some[:, :, 3:5], whole[:, :, 3:5], atol=1e-5)
    assert not some[:, :, [0, 1, 2, 5, 6, 7]].any()
    assert not np.asarray(segmenter.segment(request(9, slices=())).probability.data).any()


def test_a_missing_sequence_or_another_grid_is_refused(segmenter: Segmenter) -> None:
    asked = request(9)
    with pytest.raises(RejectedInput) as caught:
        segmenter.segment(replace(asked, volumes={"t2": asked.volumes["t2"]}))
    assert caught.value.code == "sequence-missing"
    moved = Grid(asked.volumes["t1"].grid.shape, np.eye(4))
    other = asked.volumes | {"t1": Volume(asked.volumes["t1"].data, moved)}
    with pytest.raises(GeometryError):
        segmenter.segment(replace(asked, volumes=other))


def test_triplets_clamp_at_the_edges() -> None:
    stack = np.arange(2 * 4, dtype=np.uint8).reshape(2, 4, 1, 1) * np.uint8(10)
    found = np.rint(triplets(stack, [0, 2, 3])[:, :, 0, 0] * 255)
    assert found.tolist() == [[0, 0, 10, 40, 40, 50], [10, 20, 30, 50, 60, 70], [20, 30, 30, 60, 70, 70]]


def test_an_ensemble_draws_the_mean_of_its_members_logits(tmp_path: Path) -> None:
    probabilities = [
        np.asarray(trained(tmp_path / str(number), CASES[:2], "1", seeds=seeds, iterations=20)
                   .segment(request(9)).probability.data, dtype=float)
        for number, seeds in enumerate([(0,), (1,), (0, 1)])
    ]  # fmt: skip
    one, other, both = (np.log(each / (1 - each)) for each in probabilities)
    np.testing.assert_allclose(both, (one + other) / 2, atol=2e-3)


def test_cleaning_sees_the_whole_volume_also_where_one_slice_is_asked_for(tmp_path: Path) -> None:
    """The largest part of a slice alone may be a stray part of the volume."""
    plain = trained(tmp_path / "plain", CASES[:2], "1", iterations=20)
    clean = trained(tmp_path / "clean", CASES[:2], "1", iterations=20, cleaning="largest-component")
    drawn = np.asarray(plain.segment(request(9)).probability.data)
    expected = cleaned(drawn, Cleaning.LARGEST_COMPONENT) > 0.5
    whole = np.asarray(clean.segment(request(9)).probability.data)
    assert np.array_equal(whole > 0.5, expected)
    for index in range(8):
        alone = np.asarray(clean.segment(request(9, slices=(index,))).probability.data)
        assert np.allclose(alone[:, :, index], whole[:, :, index], atol=1e-5)
        assert not np.delete(alone, index, axis=2).any()


def test_a_package_of_an_earlier_version_draws_as_it_did(tmp_path: Path) -> None:
    """It holds one network, whose tensors have no number, and says neither its members nor its images."""
    trained(tmp_path / "new", CASES[:2], "1", iterations=5)
    description, tensors = read_package(tmp_path / "new", expected_digest=read_description(tmp_path / "new").digest)
    parameters = {name: description.parameters[name] for name in ("input_size", "low_percentile", "high_percentile")}
    earlier = ModelDescription(
        "unet-25d", "7", UNET, parameters | {"widths": [8, 16, 32], "fit": {"steps": 60, "cases": 2}},
        {"snapshot": "b" * 64},
    )  # fmt: skip
    plain = {name.removeprefix("0/"): tensor.astype(np.float32) for name, tensor in tensors.items()}
    digest = write_package(tmp_path / "earlier", earlier, plain)
    assert read_description(tmp_path / "earlier").kinds == ("t1", "t2")
    one, other = (
        load_segmenter(tmp_path / name, expected_digest=each).segment(request(9)).probability.data
        for name, each in (("earlier", digest), ("new", description.digest))
    )
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, "package-network"),
        ({"members": 0}, "package-parameters"),
        ({"members": 10**6}, "package-parameters"),
        ({"members": 2}, "package-network"),
        ({"widths": [8, "wide"]}, "package-parameters"),
        ({"widths": None}, "package-parameters"),
    ],
)
def test_a_package_that_does_not_fit_its_network_is_refused(tmp_path: Path, changed, code: str) -> None:
    parameters = {"input_size": 48, "low_percentile": 0.5, "high_percentile": 99.5, "widths": [8, 16]}
    description = ModelDescription("unet", "1", UNET, parameters | changed, {})
    digest = write_package(tmp_path / "model", description, {"weight": np.zeros(3)})
    with pytest.raises(RejectedInput) as caught:
        load_segmenter(tmp_path / "model", expected_digest=digest)
    assert caught.value.code == code


def test_a_picture_rule_out_of_range_is_refused() -> None:
    for wrong in ({"input_size": 5}, {"low_percentile": 99.6}, {"high_percentile": float("nan")}):
        with pytest.raises(RejectedInput) as caught:
            PictureRule.from_parameters({"input_size": 48, "low_percentile": 0.5, "high_percentile": 99.5} | wrong)
        assert caught.value.code == "picture-rule"


def test_a_network_of_ct_and_pet_sees_both_in_their_own_windows(tmp_path: Path) -> None:
    """One image alone, and two that are no MR, from the training to the mask."""

    def pet_ct(number: int) -> Example:
        case = blob_case(number)
        bright = case.mask.foreground.astype(np.float32)
        volumes = {"ct": Volume(bright * 50 + 20, case.mask.grid), "pet": Volume(bright * 8 + 1, case.mask.grid)}
        return replace(case, volumes=volumes)

    cases = [pet_ct(number) for number in range(2)]
    for images in (("ct",), ("pet", "ct")):
        model = trained(tmp_path / images[0], cases, "1", channels=images, iterations=100)
        assert read_description(tmp_path / images[0]).kinds == images
        answer = model.segment(SegmentationRequest(cases[0].volumes, "ct"))
        assert dice(np.asarray(answer.probability.data) > 0.5, cases[0].mask.data) > 0.7


def test_ct_and_pet_have_fixed_windows_and_mr_has_its_own() -> None:
    grid = Grid((16, 16, 2), np.eye(4))
    pictures, rule = PicturePlane.along(grid, 2), PictureRule(input_size=16)

    def greys(kind: str, *values: float) -> list[int]:
        data = np.full(grid.shape, values[0], np.float32)
        data[:, :8] = values[-1]
        return np.unique(grey_stack(Volume(data, grid), pictures, rule, kind)).tolist()

    assert greys("ct", -1000.0, 3000.0)[:: len(greys("ct", -1000.0, 3000.0)) - 1] == [0, 255]
    assert greys("ct", 0.0) == [128]
    assert greys("pet", 5.0) == [128]
    assert greys("pet", 40.0) == [255]
    mr = greys("t1", 100.0, 300.0)
    assert (mr[0], mr[-1]) == (0, 255)

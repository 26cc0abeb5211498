"""What click models are shown: canvases on which the target is what is bright."""

import numpy as np
import pytest
import torch

from datasets.image.mask import Mask
from tests.training.support.ball_examples import ball_example
from training.fitting import samplers
from training.fitting.examples import Example, PreparedExamples
from training.fitting.samplers import CanvasSampler, SliceSampler, VolumeSampler, other_structure
from training.inputs.augmentation import Augmentation
from training.inputs.intensity_rules import rule_of

RULES = {"t1": rule_of("t1"), "t2": rule_of("t2")}
CANVASES = {"volumes": (16, 16, 12), "slices": (24, 20)}
MOVED = Augmentation(invert=0.0)


def canvases(kind: str, *, rule: Augmentation = MOVED) -> CanvasSampler:
    prepared = PreparedExamples([ball_example(number, tuple(RULES)) for number in range(3)], RULES)
    if kind == "volumes":
        return VolumeSampler(prepared, CANVASES[kind], rule, whole=0.4)
    return SliceSampler(prepared, CANVASES[kind], rule)


@pytest.mark.parametrize("kind", CANVASES)
def test_the_target_lies_on_what_is_bright(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers, "OTHER_STRUCTURE", 0.0)
    images, targets = canvases(kind).batch(np.random.default_rng(0), 24)
    assert images.shape == (24, 2, *CANVASES[kind])
    assert targets.shape == (24, 1, *CANVASES[kind])
    assert set(torch.unique(targets).tolist()) == {0.0, 1.0}
    assert (targets.flatten(1).sum(1) > 0).all()
    for image, target in zip(images, targets, strict=True):
        inside = target[0] > 0.5
        for channel in image:
            assert channel[inside].mean() > channel[~inside].mean() + 0.5


@pytest.mark.parametrize("kind", CANVASES)
def test_the_generator_decides_all(kind: str) -> None:
    made = [canvases(kind).batch(np.random.default_rng(seed), 4) for seed in (0, 0, 1)]
    assert torch.equal(made[0][0], made[1][0])
    assert torch.equal(made[0][1], made[1][1])
    assert not torch.equal(made[0][0], made[2][0])


@pytest.mark.parametrize("kind", CANVASES)
def test_a_tumour_of_one_voxel_is_shown_too(kind: str) -> None:
    """On a coarse canvas it is nowhere more than half a voxel; still something is to be drawn."""
    example = ball_example(0, tuple(RULES))
    data = np.zeros_like(example.mask.data)
    data[18, 16, 9] = 1
    prepared = PreparedExamples([Example("a", "a", example.volumes, Mask(data, example.mask.grid))], RULES)
    if kind == "volumes":
        made: CanvasSampler = VolumeSampler(prepared, (8, 8, 8), MOVED, whole=1.0)
    else:
        made = SliceSampler(prepared, (8, 8), MOVED)
    _, targets = made.batch(np.random.default_rng(0), 6)
    assert (targets.flatten(1).sum(1) > 0).all()


def test_a_share_of_slices_has_another_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def counting(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        counted.append(picture.shape)
        return np.ones_like(picture)

    monkeypatch.setattr(samplers, "other_structure", counting)
    canvases("slices").batch(np.random.default_rng(0), 200)
    assert set(counted) == {CANVASES["slices"]}
    assert 0.25 * 200 * 0.7 < len(counted) < 0.25 * 200 * 1.3


def test_another_structure_is_of_one_grey_and_connected() -> None:
    """Of two bright squares on a ground that is too large, one is found, whole and without its hole."""
    from scipy.ndimage import label

    squares = np.zeros((2, 64, 64), bool)
    squares[0, 8:30, 10:32] = squares[1, 40:58, 40:60] = True
    picture = 4.0 * squares.any(axis=0).astype(np.float32)
    picture[19, 20] = 0.0
    found = [other_structure(picture, np.random.default_rng(seed)) for seed in range(30)]
    hit = {0: 0, 1: 0}
    for structure in (each > 0 for each in found if each.any()):
        assert label(structure)[1] == 1
        assert not label(~np.pad(structure, 1))[1] > 1, "no hole"
        dices = [2 * (structure & each).sum() / (structure.sum() + each.sum()) for each in squares]
        if max(dices) > 0.7:
            hit[int(np.argmax(dices))] += 1
    assert min(hit.values()) >= 3
    assert sum(hit.values()) >= 0.6 * sum(each.any() for each in found)


def test_where_there_is_no_structure_nothing_is_to_be_drawn() -> None:
    assert not other_structure(np.zeros((32, 32), np.float32), np.random.default_rng(0)).any()


def test_slices_with_a_tumour_in_the_corner_show_all_of_it() -> None:
    example = ball_example(0, tuple(RULES))
    data = np.zeros_like(example.mask.data)
    data[2:9, 3:8, 1:6] = 1
    cornered = Example("a", "a", example.volumes, Mask(data, example.mask.grid))
    still = Augmentation(mirror=0, turn=0, intensity=0, noise=0, blur=0, gamma=0, invert=0)
    made = SliceSampler(PreparedExamples([cornered], RULES), (24, 20), still)
    random = np.random.default_rng(0)
    for _ in range(20):
        truth = cornered.inside[:, :, 3]
        region = samplers.slice_region(truth, random)
        assert truth[region.slices].sum() == truth.sum()
    _, targets = made.batch(random, 40)
    assert (targets.flatten(1).sum(1) > 0).all()
    assert (targets.flatten(1).mean(1) > 0.1).sum() > 10, "most are shown close"

"""Training on whole volumes: the plan comes from the volumes alone, tiles hold the tumour as often as asked."""

from dataclasses import replace

import numpy as np
import pytest

from datasets.image.mask import Mask
from tests.training.support.ball_examples import ball_example
from training.fitting.loop import LoopSettings
from training.fitting.volumes import TileSampler, VolumeSettings, fit_volumes, plan_volumes
from training.inputs.augmentation import Augmentation
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.volumes import VolumeSegmenter

STILL = Augmentation(mirror=0.0, turn=0.0, intensity=0.0, noise=0.0, blur=0.0, gamma=0.0)
SMALL = VolumeSettings(loop=LoopSettings(iterations=2), widths=(4, 8, 8), budget=4096, supervised=1, augmentation=STILL)
EXAMPLES = [ball_example(seed) for seed in range(3)]


def test_the_plan_does_not_know_the_masks() -> None:
    moved = []
    for example in EXAMPLES:
        values = np.zeros_like(example.mask.data)
        values[0, 0, 0] = 1
        moved.append(replace(example, mask=Mask(values, example.mask.grid, example.mask.labels)))
    assert plan_volumes(moved, SMALL) == plan_volumes(EXAMPLES, SMALL)


def test_the_median_volume_fits_into_about_one_tile() -> None:
    plan = plan_volumes(EXAMPLES, SMALL)
    grids = [example.volumes["t1"].grid for example in EXAMPLES]
    voxels = np.median([np.prod(plan.shape(grid)) for grid in grids])
    assert voxels <= SMALL.budget * 1.1
    assert np.prod(plan.canvas) <= SMALL.budget * 1.6, "rounded to what the network halves"


@pytest.mark.parametrize(("share", "least", "most"), [(1.0, 1.0, 1.0), (0.0, 0.0, 0.9)])
def test_tiles_hold_the_tumour_as_often_as_asked(share: float, least: float, most: float) -> None:
    settings = replace(SMALL, with_tumour=share)
    plan = replace(plan_volumes(EXAMPLES, settings), canvas=(8, 8, 4))
    sampler = TileSampler(EXAMPLES, plan, settings)
    random = np.random.default_rng(0)
    found = [bool(sampler.batch(random)[1].any()) for _ in range(60)]
    assert least <= np.mean(found) <= most


def test_a_tile_is_a_part_of_the_volume_with_its_mask() -> None:
    plan = plan_volumes(EXAMPLES, SMALL)
    images, targets = TileSampler(EXAMPLES, plan, replace(SMALL, batch=2)).batch(np.random.default_rng(0))
    assert images.shape == (2, 1, *plan.canvas)
    assert targets.shape == (2, 1, *plan.canvas)
    assert {*targets.unique().tolist()} <= {0.0, 1.0}
    inside, outside = images[targets > 0.5].mean(), images[targets < 0.5].mean()
    assert abs(float(inside - outside)) > 0.3, "the ball has greys of its own"


@pytest.mark.slow
def test_a_few_dozen_iterations_find_a_ball_that_nobody_points_at() -> None:
    from dataclasses import replace as changed

    import torch

    from training.networks.dyn_unet import dyn_unet
    from training.runtime import TorchRuntime
    from training.segmenters.weights import with_weights

    settings = replace(SMALL, loop=LoopSettings(iterations=80, learning_rate=2e-2), with_tumour=1.0)
    plan, tensors, losses = fit_volumes(EXAMPLES, settings)
    full = {name: value.astype(np.float32) if value.dtype == np.float16 else value for name, value in tensors.items()}
    device = torch.device("cpu")
    network = with_weights(dyn_unet(changed(plan.network, supervised=0)), full, device=device)
    segmenter = VolumeSegmenter([TorchRuntime(network, device=device)], plan, title="x")
    example = ball_example(7)
    drawn = segmenter.segment(SegmentationRequest(example.volumes, "t1")).probability.data > 0.5
    truth = example.mask.foreground
    assert losses[-1] < losses[0]
    assert 2 * (drawn & truth).sum() / (drawn.sum() + truth.sum()) > 0.7

"""A training epoch beside MONAI's CacheDataset: the same network, volumes, tiles, loss, optimiser and threads.

    python -m benchmarks.training.epoch [--cases 12] [--epochs 2] [--threads 1] [--precision auto] [--peer full]

First both networks are given the same weights and the same tile: loss and gradients must be the same. Both keep the
volumes prepared in memory, show as many tiles of the same size with a third of them on the tumour, and vary them alike:
mirrored, turned and stretched, contrast, gamma, noise, blur, each as often. MONAI's side is a training as its tutorials
write it: CacheDataset, its dictionary transforms, DataLoader, AdamW, 32 bits; with `--peer auto` under autocast, as its
tutorials on mixed precision have it. Ours multiplies as trainings do where nobody says otherwise: in bf16 where the
processor has it; `--precision full` for 32 bits. Without data loading is the bound: our loop on one tile that lies
there already. Where other programs run, seconds of cores tell more than the clock.
"""

import argparse
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from monai.data import CacheDataset, DataLoader, set_track_meta
from monai.networks.nets import DynUNet
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    SpatialPadd,
)
from torch import Tensor, nn

from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from training.fitting.examples import Example
from training.fitting.loop import fit_network
from training.fitting.losses import supervised_dice, supervised_entropy
from training.fitting.running.layout import channels_last, laid_out
from training.fitting.running.running import Running
from training.fitting.running.settings import LoopSettings
from training.fitting.volumes import TileSampler, VolumeSettings, plan_volumes
from training.networks.dyn_unet import dyn_unet, dyn_unet_arguments, heads
from training.segmenters.volumes import VolumePlan

logger = logging.getLogger("benchmarks.training.epoch")

CPU = torch.device("cpu")
MOST = 0.7
"""Share of MONAI's time that an epoch may take."""

NEAR = 1e-3
"""Largest difference of loss and gradients, as a part of them, that still counts as equal in 32 bits."""

Epochs = Callable[[int], tuple[list[float], float]]
"""Trains for some epochs; seconds of cores that each took, and the mean loss of the last."""


def main() -> None:
    """Prints a table, and fails where the epoch takes more than its share."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=2, help="measured epochs of each side")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", type=int, default=262_144, help="voxels of a tile")
    parser.add_argument("--precision", choices=("auto", "full"), default="auto", help="of our side")
    parser.add_argument("--peer", choices=("auto", "full"), default="full", help="precision of MONAI's side")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(given.threads)
    set_track_meta(False)
    examples = [example(number) for number in range(given.cases)]
    settings = VolumeSettings(LoopSettings(iterations=given.cases, learning_rate=3e-3), budget=given.budget)
    plan = plan_volumes(examples, settings)
    require_equal(plan)
    running = Running(precision=given.precision)
    tiles = TileSampler(examples, plan, settings)
    tile = tiles.batch(np.random.default_rng(0))
    sides = {
        # First: how our loop sets the process's memory up must not help it.
        "MONAI": monais(examples, plan, settings, Running(precision=given.peer)),
        "Maskloop": ours(tiles.batch, plan, settings, running),
        "Maskloop, loading nothing": ours(lambda _random: tile, plan, settings, running),
    }
    times: dict[str, list[float]] = {}
    losses: dict[str, float] = {}
    for name, epochs in sides.items():
        # In the first one everything is loaded and cached.
        (_, *times[name]), losses[name] = epochs(given.epochs + 1)
    logger.info(f"{given.cases} volumes, tile {plan.canvas}, {given.threads} thread(s), load {os.getloadavg()[0]:.1f}")
    logger.info("| epoch | seconds of cores (least) | of all | loss |\n| --- | --- | --- | --- |")
    for name in sides:
        told = ", ".join(f"{each:.1f}" for each in times[name])
        logger.info(f"| {name} | {min(times[name]):.2f} | {told} | {losses[name]:.3f} |")
    monai, own, bound = (min(times[name]) for name in sides)
    logger.info(f"share {own / monai:.2f} (at most {MOST}); rate: {bound / own:.2f} of that without data loading")
    if own > MOST * monai:
        raise SystemExit(1)


def require_equal(plan: VolumePlan) -> None:
    """Ends the run where MONAI's network and ours, with the same weights, differ in a tile's loss or its gradients."""
    torch.manual_seed(0)
    peer, own = DynUNet(**dyn_unet_arguments(plan.network)).train(), laid_out(dyn_unet(plan.network), CPU).train()
    own.load_state_dict(peer.state_dict())
    # A small tile: the more voxels, the more lie where a leaky ReLU bends, and the less equal are any two gradients.
    images = torch.rand(1, 1, *(2 * step for step in plan.network.divisor))
    losses, gradients = [], []
    for network, seen in ((peer, images), (own, images.to(memory_format=channels_last(3)))):
        loss = _loss(network, seen, (images > 0.9).float(), plan, Running(precision="full"))
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append(torch.cat([each.grad.flatten() for each in network.parameters() if each.grad is not None]))
    apart = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
    logger.info(f"losses of the same tile: {losses[0]:.6f}, {losses[1]:.6f}; gradients differ by {apart:.1e}")
    if max(abs(losses[0] - losses[1]), apart) > NEAR:
        raise SystemExit("The two sides do not train the same network.")


def example(number: int) -> Example:
    """A volume of noise with a bright ball, 96 x 96 x 40 voxels of 2 x 2 x 5 mm."""
    random = np.random.default_rng(number)
    grid = Grid((96, 96, 40), np.diag([-2.0, -2.0, 5.0, 1.0]))
    centre = np.array(grid.shape) * random.uniform(0.35, 0.65, 3)
    away = (np.indices(grid.shape).reshape(3, -1).T - centre) * grid.spacing
    inside = (np.linalg.norm(away, axis=1) < random.uniform(15.0, 30.0)).reshape(grid.shape)
    greys = 200.0 + 100.0 * inside + random.normal(0.0, 20.0, grid.shape)
    volume = Volume(greys.astype(np.float32), grid)
    return Example(f"case-{number}", f"patient-{number}", {"t1": volume}, Mask(inside.astype(np.uint8), grid))


def ours(
    batch: Callable[[np.random.Generator], tuple[Tensor, Tensor]],
    plan: VolumePlan,
    settings: VolumeSettings,
    running: Running,
) -> Epochs:
    """Epochs of our loop."""
    network, seen = laid_out(dyn_unet(plan.network), CPU), settings.loop.iterations

    def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        images, target = batch(random)
        yield _loss(network, images.to(memory_format=channels_last(3)), target, plan, running)

    def epochs(count: int) -> tuple[list[float], float]:
        ends = [time.process_time()]

        def told(done: int, _total: int, _loss: float) -> None:
            if done % seen == 0:
                ends.append(time.process_time())

        loop = replace(settings.loop, iterations=count * seen)
        losses = fit_network(network, learn, loop, progress=told, running=running)
        return [after - before for before, after in pairwise(ends)], float(np.mean(losses[-seen:]))

    return epochs


def monais(examples: list[Example], plan: VolumePlan, settings: VolumeSettings, running: Running) -> Epochs:
    """Epochs with CacheDataset."""
    rule, keys = settings.augmentation, ("image", "label")
    prepared = TileSampler(examples, plan, settings)
    data = [
        {
            "image": torch.from_numpy(image.astype(np.float32)),
            "label": torch.from_numpy(target.astype(np.float32))[None],
        }
        for image, target in prepared.volumes
    ]
    turn, stretch = np.radians(rule.degrees), rule.stretch
    vary = Compose(
        [
            SpatialPadd(keys, plan.canvas),
            RandCropByPosNegLabeld(keys, "label", plan.canvas, pos=settings.with_tumour, neg=1 - settings.with_tumour),
            *(RandFlipd(keys, prob=rule.mirror, spatial_axis=axis) for axis in rule.mirrored),
            RandAffined(
                keys,
                prob=rule.turn,
                rotate_range=(turn,) * 3,
                scale_range=(stretch,) * 3,
                mode=("bilinear", "nearest"),
                padding_mode=("border", "zeros"),
            ),
            RandScaleIntensityd("image", factors=0.25, prob=rule.intensity),
            RandAdjustContrastd("image", prob=rule.gamma, gamma=(0.65, 1.5), retain_stats=False),
            RandGaussianNoised("image", prob=rule.noise, std=0.15),
            RandGaussianSmoothd("image", prob=rule.blur, sigma_x=(0.8, 0.8), sigma_y=(0.8, 0.8), sigma_z=(0.8, 0.8)),
        ]
    )
    loader = DataLoader(CacheDataset(data, vary, cache_rate=1.0, num_workers=1, progress=False), shuffle=True)
    network = DynUNet(**dyn_unet_arguments(plan.network)).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.loop.learning_rate)

    def step(images: Tensor, target: Tensor) -> float:
        optimiser.zero_grad()
        loss = _loss(network, images, target, plan, running)
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    def epochs(count: int) -> tuple[list[float], float]:
        found, losses = [], []
        for _ in range(count):
            started = time.process_time()
            losses = [step(batch["image"], batch["label"]) for batch in loader]
            found.append(time.process_time() - started)
        return found, float(np.mean(losses))

    return epochs


def _loss(network: nn.Module, images: Tensor, target: Tensor, plan: VolumePlan, running: Running) -> Tensor:
    with running.mixed(CPU):
        logits = network(images)
    found = heads(logits, plan.network)
    return supervised_dice(found, target) + supervised_entropy(found, target)


if __name__ == "__main__":
    main()

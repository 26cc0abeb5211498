"""A training epoch beside MONAI's CacheDataset: the same network, volumes, tiles, loss, optimiser and threads.

    python -m benchmarks.training.epoch [--cases 12] [--epochs 2] [--threads 1] [--precision auto]

Both keep the volumes prepared in memory, show as many tiles of the same size with a third of them on the tumour, and
vary them alike: mirrored, turned and stretched, contrast, gamma, noise, blur, each as often. MONAI's side is a training
as its tutorials write it: CacheDataset, its dictionary transforms, DataLoader, AdamW, 32 bits. Ours multiplies as
trainings do where nobody says otherwise: in bf16 where the processor has it; `--precision full` for 32 bits. Without
data loading is the bound: steps on one tile that lies there already. Where other programs run, seconds of cores tell
more than the clock.
"""

import argparse
import logging
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from monai.data import CacheDataset, DataLoader, set_track_meta
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
from training.networks.dyn_unet import dyn_unet, heads
from training.segmenters.volumes import VolumePlan

logger = logging.getLogger("benchmarks.training.epoch")

CPU = torch.device("cpu")
MOST = 0.7
"""Share of MONAI's time that an epoch may take."""

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
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(given.threads)
    set_track_meta(False)
    examples = [example(number) for number in range(given.cases)]
    settings = VolumeSettings(LoopSettings(iterations=given.cases, learning_rate=3e-3), budget=given.budget)
    plan = plan_volumes(examples, settings)
    running = Running(precision=given.precision)
    sides = {"Maskloop": ours(examples, plan, settings, running), "MONAI": monais(examples, plan, settings)}
    bound = without_loading(plan, running)
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
    share = min(times["Maskloop"]) / min(times["MONAI"])
    bound(1)  # warmed up
    started = time.process_time()
    bound(given.cases)
    rate = (time.process_time() - started) / statistics.median(times["Maskloop"])
    logger.info(f"share {share:.2f} (at most {MOST}); rate without data loading: {rate:.2f} of ours")
    if share > MOST:
        raise SystemExit(1)


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


def ours(examples: list[Example], plan: VolumePlan, settings: VolumeSettings, running: Running) -> Epochs:
    """Epochs of our loop."""
    network, shown = laid_out(dyn_unet(plan.network), CPU), TileSampler(examples, plan, settings)

    def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        images, target = shown.batch(random)
        with running.mixed(CPU):
            logits = network(images.to(memory_format=channels_last(3)))
        found = heads(logits, plan.network)
        yield supervised_dice(found, target) + supervised_entropy(found, target)

    def epochs(count: int) -> tuple[list[float], float]:
        seen, ends = len(examples), [time.process_time()]

        def told(done: int, _total: int, _loss: float) -> None:
            if done % seen == 0:
                ends.append(time.process_time())

        loop = replace(settings.loop, iterations=count * seen)
        losses = fit_network(network, learn, loop, progress=told, running=running)
        return [after - before for before, after in pairwise(ends)], float(np.mean(losses[-seen:]))

    return epochs


def monais(examples: list[Example], plan: VolumePlan, settings: VolumeSettings) -> Epochs:
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
    network, step = dyn_unet(plan.network).train(), _stepping(plan, Running(precision="full"))
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.loop.learning_rate)

    def epochs(count: int) -> tuple[list[float], float]:
        found, losses = [], []
        for _ in range(count):
            started = time.process_time()
            losses = [step(network, optimiser, batch["image"], batch["label"]) for batch in loader]
            found.append(time.process_time() - started)
        return found, float(np.mean(losses))

    return epochs


def without_loading(plan: VolumePlan, running: Running) -> Callable[[int], float]:
    """As many of our steps on one tile."""
    network, step = laid_out(dyn_unet(plan.network), CPU).train(), _stepping(plan, running)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    images = torch.rand(1, 1, *plan.canvas).to(memory_format=channels_last(3))
    target = (images > 0.9).float()
    return lambda count: float(np.mean([step(network, optimiser, images, target) for _ in range(count)]))


def _stepping(
    plan: VolumePlan, running: Running
) -> Callable[[nn.Module, torch.optim.Optimizer, Tensor, Tensor], float]:
    def step(network: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, target: Tensor) -> float:
        optimiser.zero_grad()
        with running.mixed(CPU):
            logits = network(images)
        found = heads(logits, plan.network)
        loss = supervised_dice(found, target) + supervised_entropy(found, target)
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step


if __name__ == "__main__":
    main()

"""The peer of `prompted_speed`: the same networks as a MONAI pipeline over the whole volume.

Orientation, Spacing (to the resolution in which our networks saw the tumour), normalised intensities, a Gaussian signal
at every click over the whole volume, sliding windows of the network's own size, a sigmoid, and everything undone again.
A network of two dimensions goes over every slice of what it is given.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.networks.layers import GaussianFilter
from monai.transforms import Compose, NormalizeIntensity, Orientation, ScaleIntensityRange, Spacing, Transform
from numpy.typing import NDArray

from datasets.image.volume import Grid, Volume
from training.inputs.intensity_rules import CT_WINDOW_HU, IntensityRule
from training.prompts.prompt import Click
from training.segmenters.clicks.click_plan import NO_INFORMATION, ClickPlan

OVERLAP = 0.25
"""MONAI's default."""


@dataclass(eq=False)
class WholeVolume:
    """The pipeline for one case.

    Args:
        plan: The model's.
        networks: Its refiners, on torch.
        volumes: The images, in the plan's order.
        spacing: Millimetres to the right, to anterior, to superior, that the networks see.
        axis: The axis of the turned images through the slices, for networks of two dimensions.
    """

    plan: ClickPlan
    networks: Sequence[torch.nn.Module]
    volumes: Sequence[Volume]
    spacing: tuple[float, float, float]
    axis: int = 2
    windows: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._placing = Compose(
            [Orientation("RAS", labels=(("L", "R"), ("P", "A"), ("I", "S"))), Spacing(self.spacing, mode="bilinear")]
        )

    def prepared(self) -> MetaTensor:
        """All images on the networks' grid (C, i, j, k), which a server may keep between clicks."""
        rules = self.plan.channels.values()
        pairs = zip(self.volumes, rules, strict=True)
        return torch.cat([_normalizing(rule)(self._placed(volume)) for volume, rule in pairs])

    def answer(
        self, images: MetaTensor, clicks: Sequence[Click], previous: Volume | None
    ) -> tuple[NDArray[np.float32], float]:
        """The probability on the images' own grid, and the seconds it took."""
        started = time.perf_counter()
        with torch.inference_mode():
            maps = [self._signal(images, [one for one in clicks if one.positive is sign]) for sign in (True, False)]
            if self.plan.sees_previous:
                before = torch.full_like(maps[0], NO_INFORMATION)
                maps.append(before if previous is None else self._batched(self._placed(previous)))
            batch = torch.cat([self._batched(images), *maps], dim=1)
            found = self._unbatched(sliding_window_inference(batch, self.plan.canvas, 4, self._mean, overlap=OVERLAP))
            shown = MetaTensor(found, meta=images.meta, applied_operations=images.applied_operations)
            back = self._placing.inverse(shown).numpy()[0]
        return np.asarray(back, np.float32), time.perf_counter() - started

    def _placed(self, volume: Volume) -> MetaTensor:
        data = torch.from_numpy(np.ascontiguousarray(volume.data, dtype=np.float32))[None]
        return self._placing(MetaTensor(data, affine=torch.from_numpy(np.array(volume.grid.affine))))

    def _mean(self, window: torch.Tensor) -> torch.Tensor:
        self.windows += window.shape[0]
        return torch.stack([network(window).sigmoid() for network in self.networks]).mean(dim=0)

    def _signal(self, images: MetaTensor, clicks: Sequence[Click]) -> torch.Tensor:
        """A Gaussian at every click, over the whole volume, 0..1."""
        shape = tuple(images.shape[1:])
        signal = torch.zeros((1, *shape))
        for click in clicks:
            voxel = np.rint(Grid(shape, images.affine.numpy()).to_voxel(click.point_mm)).astype(int)
            signal[(0, *np.clip(voxel, 0, np.array(shape) - 1))] = 1.0
        batch = self._batched(signal)
        if clicks:
            batch = GaussianFilter(len(self.plan.canvas), self.plan.sigma)(batch)
            batch = batch / batch.max().clamp(min=1e-9)
        return batch

    def _batched(self, images: torch.Tensor) -> torch.Tensor:
        """(C, i, j, k) as the network takes it: (1, C, i, j, k), or (slices, C, height, width)."""
        plain = torch.as_tensor(images)
        return plain[None] if len(self.plan.canvas) == 3 else plain.movedim(1 + self.axis, 0)

    def _unbatched(self, answer: torch.Tensor) -> torch.Tensor:
        return answer[0] if len(self.plan.canvas) == 3 else answer.movedim(0, 1 + self.axis)


def _normalizing(rule: IntensityRule) -> Transform:
    """MONAI's transform for one of our rules."""
    if rule is IntensityRule.CT_WINDOW:
        low, high = CT_WINDOW_HU
        return ScaleIntensityRange(low, high, -1.0, 1.0, clip=True)
    return NormalizeIntensity(nonzero=rule is IntensityRule.FOREGROUND_ZSCORE)

"""UNetPlan: the layout of a prompted method's U-Net. No torch here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from datasets.errors import RejectedInput

MOST_MEMBERS = 64
"""Networks of the largest ensemble."""

_MOST_WEIGHTS = 100_000_000
"""Weights of the largest network that is built: a plan that asks for more (ours have 1 to 3 million) is damaged."""

_MOST_LEVELS, _LARGEST_STEP = 10, 16
"""Most levels, and most voxels of a stride or a kernel."""


@dataclass(frozen=True)
class UNetPlan:
    """Layout of a network; stored in the model package.

    Args:
        channels: Input channels.
        widths: Channels of each level, from fine to coarse.
        strides: Strides (per axis) of each level; the first is 1.
        kernels: Kernel sizes (per axis) of each level.
        supervised: Coarser levels that have a head of their own in training (deep supervision).
    """

    channels: int
    widths: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
    supervised: int = 0

    def __post_init__(self) -> None:
        levels = len(self.widths)
        fit = 3 <= levels <= _MOST_LEVELS and len(self.strides) == len(self.kernels) == levels
        fit = fit and type(self.channels) is int and self.channels >= 1
        sizes = [*self.strides, *self.kernels]
        fit = fit and {len(each) for each in sizes} in ({2}, {3})
        fit = fit and all(1 <= size <= _LARGEST_STEP for each in sizes for size in each)
        fit = fit and min(self.widths) >= 1 and _weights(self) <= _MOST_WEIGHTS
        if not (fit and type(self.supervised) is int and 0 <= self.supervised <= levels - 2):
            raise RejectedInput(
                "network-plan",
                "A network needs a width, a stride and a kernel for each of at least three levels.",
                remedy="Correct the plan, or use the version of Maskloop that made this model.",
            )

    @classmethod
    def uniform(cls, *, channels: int, widths: Sequence[int], dimensions: int = 3, supervised: int = 0) -> "UNetPlan":
        """Kernels of 3 everywhere, and half the resolution at each level after the first."""
        levels = len(widths)
        strides = tuple(((1,) if level == 0 else (2,)) * dimensions for level in range(levels))
        return cls(channels, tuple(widths), strides, ((3,) * dimensions,) * levels, supervised)

    @classmethod
    def from_parameters(cls, parameters: Any) -> "UNetPlan":
        """The plan in a package's parameters.

        Raises:
            RejectedInput: They hold no plan.
        """
        try:
            rest = dict(parameters)
            rest["widths"] = tuple(int(width) for width in rest["widths"])
            for key in ("strides", "kernels"):
                rest[key] = tuple(tuple(int(size) for size in level) for level in rest[key])
            return cls(**rest)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RejectedInput(
                "package-parameters",
                "The package does not hold the plan of a U-Net (channels, widths, strides, kernels).",
                remedy="Train the model again, or use the version of Maskloop that made it.",
            ) from error

    @property
    def parameters(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @property
    def dimensions(self) -> int:
        """Two or three."""
        return len(self.strides[0])

    @property
    def divisor(self) -> tuple[int, ...]:
        """Divisor of each axis of an input."""
        found = [1] * len(self.strides[0])
        for stride in self.strides:
            found = [size * step for size, step in zip(found, stride, strict=True)]
        return tuple(found)


def _weights(plan: UNetPlan) -> int:
    """Approximate number of weights: two convolutions a level, down and up, and the first one's."""
    taps = [prod(kernel) for kernel in plan.kernels]
    inside = sum(4 * size * width * width for size, width in zip(taps, plan.widths, strict=True))
    between = sum(
        prod(step) * width * next_width
        for step, width, next_width in zip(plan.strides[1:], plan.widths, plan.widths[1:], strict=False)
    )
    return inside + between + taps[0] * plan.channels * plan.widths[0]

"""UNetPlan: what a U-Net of the prompted methods is built from. No torch here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from datasets.errors import RejectedInput


@dataclass(frozen=True)
class UNetPlan:
    """What a network is built from; stored in the model package.

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
        fit = levels >= 3 and len(self.strides) == len(self.kernels) == levels and self.channels >= 1
        sizes = [*self.strides, *self.kernels]
        fit = fit and {len(each) for each in sizes} in ({2}, {3}) and min(min(each) for each in sizes) >= 1
        if not (fit and 0 <= self.supervised <= levels - 2 and min(self.widths) >= 1):
            raise RejectedInput(
                "network-plan",
                "Expected a width, a stride and a kernel for each of at least three levels, got others.",
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
        """The plan that a package's parameters hold.

        Raises:
            RejectedInput: They hold no plan.
        """
        try:
            rest = dict(parameters)
            rest["widths"] = tuple(int(width) for width in rest["widths"])
            for key in ("strides", "kernels"):
                rest[key] = tuple(tuple(int(size) for size in level) for level in rest[key])
            return cls(**rest)
        except (KeyError, TypeError, ValueError) as error:
            raise RejectedInput(
                "package-parameters",
                "Expected the plan of a U-Net (channels, widths, strides, kernels), got something else.",
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
        """What each axis of an input must be divisible by."""
        found = [1] * len(self.strides[0])
        for stride in self.strides:
            found = [size * step for size, step in zip(found, stride, strict=True)]
        return tuple(found)

"""NnunetPlan: what of nnU-Net's plans is needed to draw as it does; stored in the model package. No torch here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from datasets.errors import RejectedInput
from training.inputs.canvas import MOST_VOXELS, Shape
from training.networks.planning import Spacing
from training.networks.unet_plan import MOST_MEMBERS, UNetPlan

ZSCORE, CT = "zscore", "ct"


@dataclass(frozen=True)
class ChannelScale:
    """How one image is normalised.

    Args:
        scheme: ``zscore`` of the image, or ``ct`` by numbers of the training set.
        masked: For ``zscore``: whether only voxels inside the nonzero region count, and the others stay 0.
        low: For ``ct``: what lies below becomes this.
        high: For ``ct``: what lies above becomes this.
        mean: For ``ct``: becomes 0.
        deviation: For ``ct``: becomes 1.
    """

    scheme: str
    masked: bool = False
    low: float = 0.0
    high: float = 1.0
    mean: float = 0.0
    deviation: float = 1.0


@dataclass(frozen=True)
class NnunetPlan:
    """An imported nnU-Net's parameters beside its weights.

    Args:
        scales: Of each image, in the order of the channels.
        axcodes: Where the axes of the files that it learned from run, such as ``RAS``.
        order: Axis of such a file that each axis of the network is: its own order of axes.
        spacing: Millimetres along the network's axes.
        canvas: Size of a tile along them.
        network: Layout of the networks.
        members: How many they are (the folds).
        mirrored: Axes along which mirrored copies are averaged.

    Raises:
        RejectedInput: A field has another form (``package-parameters``).
    """

    scales: tuple[ChannelScale, ...]
    axcodes: str
    order: tuple[int, ...]
    spacing: Spacing
    canvas: Shape
    network: UNetPlan
    members: int = 1
    mirrored: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        fit = type(self.members) is int and 1 <= self.members <= MOST_MEMBERS
        fit = fit and sorted(self.order) == [0, 1, 2] and {*self.mirrored} <= {0, 1, 2}
        fit = fit and len({*self.mirrored}) == len(self.mirrored)
        fit = fit and len(self.axcodes) == 3 and all(pair & {*self.axcodes} for pair in ({*"RL"}, {*"AP"}, {*"SI"}))
        fit = fit and len(self.spacing) == 3 and all(1e-3 <= size <= 1e3 for size in self.spacing)
        fit = fit and len(self.canvas) == 3 and prod(self.canvas) <= MOST_VOXELS
        fit = fit and self.network.channels == len(self.scales) and self.network.dimensions == 3
        fit = fit and all(n >= 1 and n % step == 0 for n, step in zip(self.canvas, self.network.divisor, strict=True))
        fit = fit and all(each.scheme in (ZSCORE, CT) and each.deviation > 0 for each in self.scales)
        if not fit:
            raise _refusal()

    @property
    def parameters(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "NnunetPlan":
        """The plan in a package's parameters.

        Raises:
            RejectedInput: They hold no plan.
        """
        try:
            scales = tuple(ChannelScale(**each) for each in parameters["scales"])
            i, j, k = (float(size) for size in parameters["spacing"])
            canvas = tuple(int(size) for size in parameters["canvas"])
            return cls(
                scales,
                str(parameters["axcodes"]),
                tuple(int(axis) for axis in parameters["order"]),
                (i, j, k),
                (canvas[0], canvas[1], canvas[2]),
                UNetPlan.from_parameters(parameters["network"]),
                parameters["members"],
                tuple(int(axis) for axis in parameters["mirrored"]),
            )
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise _refusal() from error


def _refusal() -> RejectedInput:
    return RejectedInput(
        "package-parameters",
        "The package does not hold the plan of an nnU-Net (scales, axes, spacing, canvas, network).",
        remedy="Import the result folder again, or use the version of Maskloop that made the package.",
    )

"""BundlePlan: what of a MONAI Bundle made elsewhere is kept, as plain values by lists of allowed names. No torch here.

A bundle's configuration can name any code. So nothing of it is made but networks, transforms and inferers of MONAI that
stand in these lists, from plain JSON values.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from datasets.errors import RejectedInput
from training.segmenters.postprocessing import Cleaning

TARGET = "_target_"

NETWORKS = (
    "AttentionUnet",
    "BasicUNet",
    "BasicUNetPlusPlus",
    "DynUNet",
    "HighResNet",
    "SegResNet",
    "SwinUNETR",
    "UNETR",
    "UNet",
    "VNet",
)
"""Networks of `monai.networks.nets` that draw, and fetch nothing."""

TRANSFORMS: Mapping[str, tuple[str, ...]] = {
    "Orientationd": ("axcodes",),
    "Spacingd": ("pixdim", "mode", "padding_mode", "align_corners", "scale_extent", "min_pixdim", "max_pixdim"),
    "NormalizeIntensityd": ("subtrahend", "divisor", "nonzero", "channel_wise"),
    "ScaleIntensityd": ("minv", "maxv", "channel_wise"),
    "ScaleIntensityRanged": ("a_min", "a_max", "b_min", "b_max", "clip"),
    "ScaleIntensityRangePercentilesd": ("lower", "upper", "b_min", "b_max", "clip", "relative", "channel_wise"),
    "CropForegroundd": ("margin", "k_divisible", "allow_smaller"),
}
"""Transforms that are kept, each with the arguments that it may have."""

INFERER_ARGUMENTS = ("roi_size", "overlap", "mode", "sigma_scale", "padding_mode", "cval")
"""Of the sliding window."""

_DEEPEST, _MOST_VALUES = 8, 4096


@dataclass(frozen=True)
class BundlePlan:
    """An imported bundle's parameters beside its weights.

    Args:
        network: ``_target_`` and arguments of one of `NETWORKS`.
        steps: Transforms of the images, each with ``_target_`` and arguments.
        window: Arguments of the sliding window; empty where the whole volume is drawn at once.
        channel: Of the network's output that is the label.
        exclusive: Whether the channels are classes of which the largest counts (softmax), or each stands for itself.
        cleaning: Of the mask.

    Raises:
        RejectedInput: A name or a value is none that is allowed (``bundle-code``), or the network is not one of volumes
            (``bundle-network``).
    """

    network: Mapping[str, Any]
    steps: tuple[Mapping[str, Any], ...]
    window: Mapping[str, Any]
    channel: int
    exclusive: bool
    cleaning: Cleaning = Cleaning.NONE

    def __post_init__(self) -> None:
        require_plain(self.network, "network")
        require_plain(list(self.steps), "preprocessing")
        require_plain(self.window, "inferer")
        if self.network.get(TARGET) not in NETWORKS or self.network.get("spatial_dims", 3) != 3:
            raise not_allowed("network", str(self.network.get(TARGET)))
        if any(type(self.network.get(name, 1)) is not int for name in ("in_channels", "out_channels")):
            raise not_allowed("network", "a number of channels that is none")
        for step in self.steps:
            allowed = TRANSFORMS.get(str(step.get(TARGET)))
            if allowed is None or {*step} - {TARGET, *allowed}:
                raise not_allowed("preprocessing", str(step.get(TARGET)))
        if {*self.window} - {*INFERER_ARGUMENTS}:
            raise not_allowed("inferer", "SlidingWindowInferer")
        if type(self.channel) is not int or not 0 <= self.channel < self.outputs:
            raise RejectedInput(
                "bundle-class",
                f"The network has {self.outputs} output channel(s), and channel {self.channel} is none of them.",
                remedy="Name the channel of the label with --class.",
            )

    @property
    def inputs(self) -> int:
        """Channels of the input."""
        return int(self.network.get("in_channels", 1))

    @property
    def outputs(self) -> int:
        """Channels of the output."""
        return int(self.network.get("out_channels", 1))

    @property
    def parameters(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"cleaning": self.cleaning.value}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "BundlePlan":
        """The plan in a package's parameters.

        Raises:
            RejectedInput: They hold no plan, or one that is not allowed.
        """
        try:
            return cls(
                dict(parameters["network"]),
                tuple(dict(step) for step in parameters["steps"]),
                dict(parameters["window"]),
                parameters["channel"],
                bool(parameters["exclusive"]),
                Cleaning(parameters["cleaning"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RejectedInput(
                "package-parameters",
                "The package does not hold the plan of an imported bundle (network, steps, window, channel).",
                remedy="Import the bundle again, or use the version of Maskloop that made the package.",
            ) from error


def require_plain(value: Any, part: str) -> None:
    """Refuses what is more than plain values: expressions, references, and objects within objects.

    Args:
        value: Of a bundle's configuration.
        part: Where it stands, for the message.

    Raises:
        RejectedInput: It holds an expression or an object (``bundle-code``).
    """
    deepest_object = 2 if part == "preprocessing" else 1
    waiting: list[tuple[Any, int]] = [(value, 1)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        found, depth = waiting.pop()
        if depth > _DEEPEST:
            break
        waiting.extend((each, depth + 1) for each in _parts(found, part, may_be_object=depth <= deepest_object))
    raise not_allowed(part, "too much or too deeply nested")


def _parts(found: Any, part: str, *, may_be_object: bool) -> list[Any]:
    """The values inside a value."""
    if isinstance(found, Mapping):
        if TARGET in found and not may_be_object:
            raise not_allowed(part, "an object within an object")
        return [*found.keys(), *found.values()]
    if isinstance(found, list | tuple):
        return list(found)
    if isinstance(found, str) and found[:1] in ("$", "@", "%"):
        raise not_allowed(part, "an expression")
    if found is not None and not isinstance(found, str | bool | int | float):
        raise not_allowed(part, "a value that is not plain")
    return []


def not_allowed(part: str, what: str) -> RejectedInput:
    """The refusal of something that could run code."""
    return RejectedInput(
        "bundle-code",
        f"The bundle's {part} has {what[:60]}, which is not in Maskloop's list; a bundle's own code never runs here.",
        remedy=f"Use one of MONAI's networks ({', '.join(NETWORKS)}) and transforms ({', '.join(TRANSFORMS)}), "
        "with plain values.",
    )

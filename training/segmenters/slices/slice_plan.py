"""SlicePlan: what a model on slices keeps in its package beside its weights. Imports torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from datasets.errors import RejectedInput
from training.inputs.slice_triplets import PictureRule
from training.networks.slice_networks import SliceNetwork, halvings
from training.networks.unet_plan import MOST_MEMBERS
from training.segmenters.postprocessing import Cleaning


class Planes(StrEnum):
    """Which slices of a volume are drawn."""

    DRAWN = "drawn"
    """Those of the plane that people draw on."""

    THREE = "three"
    """Those of all three planes; the mean of their logits counts (MSTT-199)."""


class Copies(StrEnum):
    """Which turned copies of a picture are drawn; the mean of their logits counts."""

    NONE = "none"
    MIRRORED = "mirrored"
    """Left to right; axial pictures also top to bottom: what training shows as well."""

    ALL = "all"
    """All eight flips and quarter turns (MSTT-199)."""


class Crop(StrEnum):
    """What of a volume is looked at."""

    NONE = "none"
    BODY = "body"
    """The box around the body; outside is background."""


@dataclass(frozen=True)
class SlicePlan:
    """A slice model's parameters beside its weights; stored in the model package.

    Args:
        rule: How volumes become pictures.
        widths: Channels of the levels of a residual U-Net.
        architecture: The network.
        planes: Which slices are drawn.
        copies: Which copies of each are drawn.
        crop: What of a volume is looked at.
        members: Networks whose logits are averaged (the folds).
        cleaning: Post-processing of the mask, chosen on validation folds.

    Raises:
        RejectedInput: The network cannot take the rule's pictures, or a number is out of range.
    """

    rule: PictureRule = field(default_factory=PictureRule)
    widths: tuple[int, ...] = ()
    architecture: SliceNetwork = SliceNetwork.RESIDUAL
    planes: Planes = Planes.DRAWN
    copies: Copies = Copies.NONE
    crop: Crop = Crop.NONE
    members: int = 1
    cleaning: Cleaning = Cleaning.NONE

    def __post_init__(self) -> None:
        fit = type(self.members) is int and 1 <= self.members <= MOST_MEMBERS
        fit = fit and all(type(width) is int and width >= 1 for width in self.widths)
        fit = fit and (len(self.widths) >= 2 or self.architecture is not SliceNetwork.RESIDUAL)
        if not fit or self.rule.input_size % 2 ** halvings(self.architecture, self.widths):
            raise _refusal()

    @property
    def parameters(self) -> dict[str, Any]:
        """As plain JSON values."""
        rest = {name: value for name, value in asdict(self).items() if name not in ("rule", "widths")}
        widths = {"widths": list(self.widths)} if self.widths else {}
        return asdict(self.rule) | widths | rest

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "SlicePlan":
        """The plan in a package's parameters; those of the fit are ignored, and what an earlier version did not have.

        Raises:
            RejectedInput: They hold no plan.
        """
        try:
            return cls(
                PictureRule.from_parameters(parameters),
                widths=tuple(parameters.get("widths", ())),
                architecture=SliceNetwork(parameters.get("architecture", SliceNetwork.RESIDUAL)),
                planes=Planes(parameters.get("planes", Planes.DRAWN)),
                copies=Copies(parameters.get("copies", Copies.NONE)),
                crop=Crop(parameters.get("crop", Crop.NONE)),
                members=parameters.get("members", 1),
                cleaning=Cleaning(parameters.get("cleaning", Cleaning.NONE)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _refusal() from error


def _refusal() -> RejectedInput:
    return RejectedInput(
        "package-parameters",
        "The package does not hold the plan of a network on slices (network, picture size, percentiles).",
        remedy="Train the model again, or use the version of Maskloop that made it.",
    )

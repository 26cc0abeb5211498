"""What a foreign bundle makes of its network's output, as far as it is done here. No torch here."""

from collections.abc import Mapping, Sequence
from typing import Any

from datasets.errors import RejectedInput
from training.segmenters.imported.bundle_plan import TARGET, TRANSFORMS
from training.segmenters.postprocessing import Cleaning

_SAVED = ("EnsureTyped", "Invertd", "SaveImaged", "ToDeviced", "ToTensord")
"""Transforms of a prediction that say nothing of what is drawn."""

_ALL_CORNERS = 3


def output_of(steps: Sequence[Mapping[str, Any]], *, channel: int, outputs: int) -> tuple[bool, Cleaning]:
    """Whether the channels exclude each other, and the cleaning of the mask.

    Args:
        steps: The transforms of the prediction.
        channel: That is the label.
        outputs: Channels.

    Raises:
        RejectedInput: A transform, or an argument of one, is not done here (``bundle-unmapped``).
    """
    exclusive, cleaning = False, Cleaning.NONE
    for step in steps:
        match step[TARGET]:
            case "Activationsd":
                exclusive = exclusive or bool(_one(step, "softmax"))
                _require(step, other=(None,))
            case "AsDiscreted":
                exclusive = exclusive or bool(_one(step, "argmax"))
                _require(step, threshold=(None, 0.5), rounding=(None,))
            case "KeepLargestConnectedComponentd":
                cleaning = Cleaning.LARGEST_COMPONENT
                own = channel if outputs > 1 else 1
                _require(step, applied_labels=(None, own), is_onehot=(None,), independent=(None, True))
                _require(step, connectivity=(None, _ALL_CORNERS), num_components=(None, 1))
            case name if name not in _SAVED:
                raise unmapped("postprocessing", str(name))
    return exclusive, cleaning


def _one(step: Mapping[str, Any], name: str) -> Any:
    """An argument, which may be given for each key, of which there is one."""
    found = step.get(name)
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _require(step: Mapping[str, Any], **allowed: tuple[Any, ...]) -> None:
    """Refuses a transform with other values of arguments; in Python True is 1, but not here."""
    for name, values in allowed.items():
        found = _one(step, name)
        if not any(found == value and isinstance(found, bool) == isinstance(value, bool) for value in values):
            raise unmapped("postprocessing", f"{step[TARGET]} with another {name}")


def unmapped(part: str, what: str) -> RejectedInput:
    """The refusal of something of MONAI's that is not done here."""
    return RejectedInput(
        "bundle-unmapped",
        f"The bundle's {part} has {what[:60]}, which Maskloop cannot do.",
        remedy=f"Maskloop knows {', '.join(TRANSFORMS)}, SlidingWindowInferer and SimpleInferer; change the bundle.",
    )

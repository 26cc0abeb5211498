"""The parts of a bundle's configuration that are needed, read as plain JSON: nothing of it is ever evaluated."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from training.segmenters.imported.bundle_plan import INFERER_ARGUMENTS, TARGET, TRANSFORMS, BundlePlan, not_allowed
from training.segmenters.postprocessing import Cleaning

_LIMIT = 1 << 22
_MOST_REFERENCES = 20

_WITHOUT_EFFECT = ("CastToTyped", "EnsureChannelFirstd", "EnsureTyped", "LoadImaged", "ToDeviced", "ToTensord")
"""Transforms of files and types, which our images do not need."""

_SAVED = ("EnsureTyped", "Invertd", "SaveImaged", "ToDeviced", "ToTensord")
"""Transforms of a prediction that say nothing of what is drawn."""

_WITHOUT_MEANING = ("keys", "allow_missing_keys", "lazy", "dtype", "source_key", "labels", "start_coord_key")
"""Arguments of transforms that say nothing of what is drawn here."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a bundle.

    Raises:
        RejectedInput: It is missing, too large, or no JSON object (``bundle-missing``).
    """
    try:
        if path.stat().st_size > _LIMIT:
            raise ValueError("size")
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("object")
        return found
    except (OSError, ValueError, RecursionError) as error:
        raise RejectedInput(
            "bundle-missing",
            f"The bundle has no configs/{path.name} that can be read.",
            remedy="Name a bundle's folder with configs/metadata.json and configs/inference.json.",
        ) from error


def plan_of(config: Mapping[str, Any], channel: int | None) -> BundlePlan:
    """The plan of a bundle's ``inference.json``.

    Args:
        config: The whole document.
        channel: Of the output that is the label; None for the only one that is not background.

    Raises:
        RejectedInput: It holds code where plain values are needed (``bundle-code``), or something that is not drawn
            here (``bundle-unmapped``), which the message names.
    """
    network = dict(_object(config, "network_def"))
    name = _short(network, "networks.nets", "network")
    steps = [step for each in _transforms(config, "preprocessing") for step in _step(each)]
    exclusive, cleaning = _output(_transforms(config, "postprocessing"))
    if channel is None:
        channel = _only_channel(int(network.get("out_channels", 1)))
    return BundlePlan(network | {TARGET: name}, tuple(steps), _window(config), channel, exclusive, cleaning)


def _object(config: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    found = _resolved(config, config.get(part), part)
    if not isinstance(found, Mapping) or not isinstance(found.get(TARGET), str):
        if isinstance(found, str) and found.startswith("$"):
            raise not_allowed(part, "an expression")
        raise RejectedInput(
            "bundle-missing",
            f"The bundle's inference.json does not say its {part}.",
            remedy="Export the bundle with its network_def, preprocessing and inferer.",
        )
    return {name: _resolved(config, value, part) for name, value in found.items()}


def _resolved(config: Mapping[str, Any], value: Any, part: str) -> Any:
    """A value, or what it refers to (``@roi_size``), found by names alone."""
    for _ in range(_MOST_REFERENCES):
        if not (isinstance(value, str) and value.startswith("@")):
            return value
        found: Any = config
        for key in value[1:].replace("#", "::").split("::"):
            found = found[int(key)] if isinstance(found, list) and key.isdecimal() else found.get(key) if isinstance(
                found, Mapping) else None  # fmt: skip
        value = found
    raise not_allowed(part, "references in a circle")


def _transforms(config: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    chain = _object(config, part)
    if _short(chain, "transforms", part) != "Compose":
        raise not_allowed(part, str(chain[TARGET]))
    listed = _resolved(config, chain.get("transforms"), part)
    found = []
    for each in listed if isinstance(listed, list) else []:
        step = _resolved(config, each, part)
        if not isinstance(step, Mapping) or not isinstance(step.get(TARGET), str):
            raise not_allowed(part, "an expression")
        if step.get("_disabled_") in (True, "true"):
            continue
        name = _short(step, "transforms", part)
        found.append({key: _resolved(config, value, part) for key, value in step.items()} | {TARGET: name})
    return found


def _short(found: Mapping[str, Any], module: str, part: str) -> str:
    """The name of a class of MONAI's, without its module.

    Raises:
        RejectedInput: It is of another module (``bundle-code``).
    """
    target = str(found[TARGET])
    package, _, name = target.rpartition(".")
    if package and not (package == f"monai.{module}" or package.startswith(f"monai.{module}.")):
        raise not_allowed(part, target)
    return name


def _step(step: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = step[TARGET]
    if name in _WITHOUT_EFFECT:
        return []
    if name not in TRANSFORMS:
        raise _refusal("preprocessing", name)
    keys = step.get("keys", "image")
    if keys not in ("image", ["image"]):
        raise _refusal("preprocessing", f"{name} of other keys than image")
    kept = {key: value for key, value in step.items() if key not in _WITHOUT_MEANING}
    # A mode for each key, of which there is one.
    return [{key: value[0] if key == "mode" and isinstance(value, list) else value for key, value in kept.items()}]


def _window(config: Mapping[str, Any]) -> dict[str, Any]:
    inferer = _object(config, "inferer")
    match _short(inferer, "inferers", "inferer"):
        case "SimpleInferer":
            return {}
        case "SlidingWindowInferer":
            if "roi_size" not in inferer:
                raise _refusal("inferer", "a sliding window without a size")
            return {name: value for name, value in inferer.items() if name in INFERER_ARGUMENTS}
        case other:
            raise _refusal("inferer", other)


def _output(steps: list[dict[str, Any]]) -> tuple[bool, Cleaning]:
    """Whether the channels exclude each other, and the cleaning of the mask."""
    exclusive, cleaning = False, Cleaning.NONE
    for step in steps:
        match step[TARGET]:
            case "Activationsd":
                exclusive = exclusive or bool(step.get("softmax"))
            case "AsDiscreted":
                exclusive = exclusive or bool(step.get("argmax"))
                if step.get("threshold") not in (None, 0.5):
                    raise _refusal("postprocessing", "another threshold than 0.5")
            case "KeepLargestConnectedComponentd":
                cleaning = Cleaning.LARGEST_COMPONENT
            case name if name not in _SAVED:
                raise _refusal("postprocessing", str(name))
    return exclusive, cleaning


def _only_channel(outputs: int) -> int:
    if outputs <= 2:
        return outputs - 1
    raise RejectedInput(
        "bundle-class",
        f"The network has {outputs} output channels; which one is the label is not said.",
        remedy="Name it with --class, as network_data_format in metadata.json counts them.",
    )


def _refusal(part: str, what: str) -> RejectedInput:
    return RejectedInput(
        "bundle-unmapped",
        f"The bundle's {part} has {what[:60]}, which Maskloop cannot do.",
        remedy=f"Maskloop knows {', '.join(TRANSFORMS)}, SlidingWindowInferer and SimpleInferer; change the bundle.",
    )

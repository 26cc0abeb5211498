"""The parts of a bundle's configuration that are needed, read as plain JSON: nothing of it is ever evaluated."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from training.exchange.bundle.output import output_of, unmapped
from training.exchange.bundle.placing import Placing
from training.segmenters.imported.bundle_plan import INFERER_ARGUMENTS, TARGET, TRANSFORMS, BundlePlan, not_allowed

_LIMIT = 1 << 22
_MOST_REFERENCES = 20
_SHOWN = 40

_WITHOUT_EFFECT = ("CastToTyped", "EnsureChannelFirstd", "EnsureTyped", "LoadImaged", "ToDeviced", "ToTensord")
"""Transforms of files and types, which our images do not need."""

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


def plan_of(
    config: Mapping[str, Any], *, channel: int | None, placing: Placing, called: Mapping[str, str]
) -> tuple[BundlePlan, list[str]]:
    """The plan of a bundle's ``inference.json``, and findings.

    Args:
        config: The whole document.
        channel: Of the output that is the label; None for the only one that is not background.
        placing: What a person says of the images.
        called: What the bundle calls the channels of its output, by number.

    Raises:
        RejectedInput: It holds code where plain values are needed (``bundle-code``), something that is not drawn here
            (``bundle-unmapped``), which the message names, or what a person said as well (``bundle-placed``).
    """
    network = dict(_object(config, "network_def"))
    name, outputs = _short(network, "networks.nets", "network"), network.get("out_channels", 1)
    if type(outputs) is not int:
        raise not_allowed("network", "a number of channels that is none")
    steps, findings = placing.placed([step for each in _transforms(config, "preprocessing") for step in _step(each)])
    if channel is None:
        channel = _only_channel(outputs, called)
    exclusive, cleaning = output_of(_transforms(config, "postprocessing"), channel=channel, outputs=outputs)
    plan = BundlePlan(network | {TARGET: name}, tuple(steps), _window(config), channel, exclusive, cleaning)
    return plan, findings


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
        raise unmapped("preprocessing", name)
    keys = step.get("keys", "image")
    if keys not in ("image", ["image"]):
        raise unmapped("preprocessing", f"{name} of other keys than image")
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
                raise unmapped("inferer", "a sliding window without a size")
            return {name: value for name, value in inferer.items() if name in INFERER_ARGUMENTS}
        case other:
            raise unmapped("inferer", other)


def _only_channel(outputs: int, called: Mapping[str, str]) -> int:
    if outputs <= 2:
        return outputs - 1
    named = ", ".join(f"{number} {name[:_SHOWN]}" for number, name in called.items())
    raise RejectedInput(
        "bundle-class",
        f"The network has {outputs} output channels; which one is the label is not said."
        + (f" Its metadata calls them {named}." if named else ""),
        remedy="Name it with --class.",
    )

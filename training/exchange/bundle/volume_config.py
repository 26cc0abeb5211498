"""`inference.json` of a 3D U-Net on whole volumes, in MONAI's transforms: what `segmenters.volumes` does, said again.

Where MONAI has no transform that computes the same, such as an antialiased resampling to a shape that depends on the
case, an expression stands in the document; it names nothing but torch and MONAI.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from datasets.errors import RejectedInput
from training.exchange.bundle.networks import BundleNetworks
from training.exchange.bundle.shared_config import IMAGE, begun, postprocessing, shared_config
from training.inputs.intensity_rules import CT_WINDOW_HU, LIMIT, IntensityRule
from training.model_package import ModelDescription
from training.segmenters.volumes import View, VolumePlan

_SHAPE = "$lambda x: [max(1, round(n * float(s) / t)) for n, s, t in zip(x.shape[1:], x.pixdim, @spacing)]"
_WHOLE = "$lambda x: list(@roi_size)"
_TILE = (
    "$lambda shape: [-(-n // step) * step if side < n <= 1.5 * side else side"
    " for n, side, step in zip(shape, @roi_size, @steps)]"
)
_MEAN = (
    "$lambda x, networks: sum(torch.flip(each(torch.flip(x, axes)), axes) for axes in @mirrored_axes"
    " for each in networks) / (len(@mirrored_axes) * len(networks))"
)
_INFERER = (
    "$lambda inputs, network: monai.inferers.SlidingWindowInferer(roi_size=@tile(inputs.shape[2:]), sw_batch_size=1,"
    " overlap=0.5, mode='gaussian', sigma_scale=0.125)(inputs, lambda x: @mean_of(x, @members(network)))"
)
_SCORED = (
    "$lambda x: (lambda seen: torch.nan_to_num((x - float(seen.mean())) / max(float(seen.std(unbiased=False)),"
    " 1e-6 * max(abs(float(seen.mean())), 1.0)), nan=0.0).clamp(-{limit}, {limit}) if seen.numel() else"
    " torch.nan_to_num(x, nan=0.0).clamp(-{limit}, {limit}))(x[torch.isfinite(x){nonzero}].double())"
)
"""The z-score over some voxels, applied to all, and cut."""


def volume_config(description: ModelDescription, networks: BundleNetworks) -> tuple[dict[str, Any], list[int]]:
    """The document, and the shape of the networks' input.

    Args:
        description: The package's.
        networks: Its networks.

    Raises:
        RejectedInput: The parameters hold no plan, or members see volumes in different voxels (``bundle-plans``).
    """
    plan = VolumePlan.from_parameters(description.parameters)
    if len(plan.looks) > 1:
        raise RejectedInput(
            "bundle-plans",
            "The model's networks see volumes in different voxels, each as its fold planned it; a bundle has one plan.",
            remedy="Export one fold, or train a final model on all cases.",
        )
    images = list(plan.channels)
    steps = np.lcm.reduce([each.divisor for each in plan.member_networks], axis=0).tolist()
    config = shared_config(images, networks) | {
        "spacing": list(plan.spacing),
        "roi_size": list(plan.canvas),
        "steps": steps,
        "mirrored_axes": [
            [axis + 2 for axis in axes]
            for count in range(len(plan.mirrored) + 1)
            for axes in combinations(plan.mirrored, count)
        ],
        "shape": _WHOLE if plan.view is View.WHOLE else _SHAPE,
        "tile": _TILE,
        "mean_of": _MEAN,
        "preprocessing": {"_target_": "Compose", "transforms": _preprocessing(plan.channels)},
        "inferer": _INFERER,
        "postprocessing": postprocessing(images[0], plan.cleaning, description.drawn_label),
    }
    return config, list(plan.canvas)


def _preprocessing(channels: Mapping[str, IntensityRule]) -> list[Any]:
    inputs = [f"{kind}_input" for kind in channels]
    steps = begun(list(channels))
    steps.append({"_target_": "CopyItemsd", "keys": list(channels), "names": inputs})
    steps.extend(_intensity(key, rule) for key, rule in zip(inputs, channels.values(), strict=True))
    steps.append({"_target_": "Lambdad", "keys": inputs, "func": "$lambda x: @resized(x, @shape(x))"})
    steps.append({"_target_": "ConcatItemsd", "keys": inputs, "name": IMAGE})
    steps.append({"_target_": "DeleteItemsd", "keys": inputs})
    return steps


def _intensity(key: str, rule: IntensityRule) -> dict[str, Any]:
    if rule is IntensityRule.CT_WINDOW:
        low, high = CT_WINDOW_HU
        window = {"a_min": low, "a_max": high, "b_min": -1.0, "b_max": 1.0, "clip": True}
        return {"_target_": "ScaleIntensityRanged", "keys": key} | window
    nonzero = " & (x != 0)" if rule is IntensityRule.FOREGROUND_ZSCORE else ""
    return {"_target_": "Lambdad", "keys": key, "func": _SCORED.format(limit=LIMIT, nonzero=nonzero)}

"""nnU-Net's `plans.json` as our plan. Imports torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from datasets.errors import RejectedInput
from training.exchange.nnunet.network import network_plan
from training.exchange.nnunet.result_folder import ResultFolder
from training.segmenters.imported.nnunet_plan import CT, ZSCORE, NnunetPlan

_SCHEMES = {"ZScoreNormalization": ZSCORE, "CTNormalization": CT}
_RESAMPLING = "resample_data_or_seg_to_shape"


def plan_of(
    results: ResultFolder, kinds: Sequence[str], *, axcodes: str, members: int, mirrored: Sequence[int]
) -> NnunetPlan:
    """The plan of a result folder.

    Args:
        results: The folder.
        kinds: Of the images, in the order of the channels.
        axcodes: Where the axes of the files that it learned from run.
        members: Networks.
        mirrored: Axes along which mirrored copies are averaged.

    Raises:
        RejectedInput: The network takes another number of images (``nnunet-channels``), is another network
            (``nnunet-network``), or is prepared for in a way that is not done here (``nnunet-plans``).
    """
    try:
        chosen = results.plans["configurations"][results.configuration]
        schemes = chosen["normalization_schemes"]
        if len(schemes) != len(kinds):
            raise RejectedInput(
                "nnunet-channels",
                f"The network takes {len(schemes)} image(s), and {len(kinds)} kind(s) were named.",
                remedy="Name the kind of each channel with --images, in the order of dataset.json.",
            )
        _require_usual(chosen)
        return NnunetPlan.from_parameters(
            {
                "scales": [_scale(results.plans, chosen, number) for number in range(len(schemes))],
                "axcodes": axcodes,
                "order": [2 - axis for axis in results.plans["transpose_forward"]],
                "spacing": chosen["spacing"],
                "canvas": chosen["patch_size"],
                "network": network_plan(chosen["architecture"], len(kinds)).parameters,
                "members": members,
                "mirrored": list(mirrored),
            }
        )
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise _not_drawn("its plans.json is not that of nnU-Net 2.4 or later") from error


def _scale(plans: Mapping[str, Any], chosen: Mapping[str, Any], number: int) -> dict[str, Any]:
    scheme = _SCHEMES.get(chosen["normalization_schemes"][number])
    if scheme is None:
        raise _not_drawn("it normalises an image in another way than by its own or the data set's mean")
    if scheme == ZSCORE:
        return {"scheme": scheme, "masked": bool(chosen["use_mask_for_norm"][number])}
    seen = plans["foreground_intensity_properties_per_channel"][str(number)]
    bounds = {"low": seen["percentile_00_5"], "high": seen["percentile_99_5"]}
    return {"scheme": scheme, "mean": seen["mean"], "deviation": seen["std"]} | bounds


def _require_usual(chosen: Mapping[str, Any]) -> None:
    wanted = {"data": 3, "probabilities": 1}
    for name, order in wanted.items():
        kept = chosen[f"resampling_fn_{name}_kwargs"]
        usual = (kept["order"], kept["order_z"], kept["force_separate_z"]) == (order, 0, None)
        if chosen[f"resampling_fn_{name}"] != _RESAMPLING or not usual or kept["is_seg"]:
            raise _not_drawn("it resamples in another way than nnU-Net's default")
    if chosen.get("preprocessor_name") != "DefaultPreprocessor":
        raise _not_drawn("it has a preprocessor of its own")


def _not_drawn(reason: str) -> RejectedInput:
    return RejectedInput(
        "nnunet-plans",
        f"The model cannot be drawn here as nnU-Net would: {reason}.",
        remedy="Draw with it in its own environment: `nnunet predict`.",
    )

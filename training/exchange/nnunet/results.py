"""A result folder of nnU-Net: its plans, and the weights of its folds, as a package of ours. Imports torch.

Checkpoints are pickles: they are read by torch's own reader of tensors and plain values, which runs no code; the few
harmless classes of NumPy in which nnU-Net keeps single numbers are named to it. Anything else is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - only its error, which torch's safe reader raises
from typing import Any

import numpy as np
import torch

from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, sha256_of_file
from training.exchange.nnunet.dataset import PROVENANCE
from training.exchange.nnunet.network import converted_weights, network_plan
from training.model_package import ModelDescription, write_package
from training.segmenters.imported.nnunet_plan import CT, ZSCORE, NnunetPlan
from training.segmenters.weights import as_members
from training.table.table import method_called

CONFIGURATIONS = ("3d_fullres", "3d_lowres")
_SCHEMES = {"ZScoreNormalization": ZSCORE, "CTNormalization": CT}
_RESAMPLING = "resample_data_or_seg_to_shape"
_LIMIT = 1 << 26
_OF_NUMPY: list[Any] = [
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
    np.dtypes.Int64DType,
    (np.array(0.0)[()].__reduce__()[0], "numpy._core.multiarray.scalar"),
    (np.array(0.0)[()].__reduce__()[0], "numpy.core.multiarray.scalar"),
]


@dataclass(frozen=True)
class ResultFolder:
    """A folder ``TRAINER__PLANS__CONFIGURATION`` of nnU-Net's results.

    Args:
        folder: With ``plans.json``, ``dataset.json`` and ``fold_0`` …
        configuration: The part of the plans that was trained.
        plans: Whole ``plans.json``.
        dataset: Whole ``dataset.json``.
    """

    folder: Path
    configuration: str
    plans: Mapping[str, Any]
    dataset: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "ResultFolder":
        """Reads the plans of a result folder.

        Raises:
            RejectedInput: It is none (``nnunet-results``), or holds a configuration that is not drawn here
                (``nnunet-configuration``).
        """
        plans, dataset = (_json(folder / name) for name in ("plans.json", "dataset.json"))
        configuration = folder.resolve().name.rpartition("__")[2]
        if configuration not in CONFIGURATIONS:
            raise RejectedInput(
                "nnunet-configuration",
                f"The folder's configuration is not one of {', '.join(CONFIGURATIONS)}.",
                remedy="Import the folder of such a configuration; cascades and networks on slices are not drawn here.",
            )
        return cls(folder, configuration, plans, dataset)

    @property
    def checkpoints(self) -> list[Path]:
        """The final checkpoint of each fold that was trained.

        Raises:
            RejectedInput: There is none.
        """
        found = sorted(self.folder.glob("fold_*/checkpoint_final.pth"))
        if not found:
            raise RejectedInput(
                "nnunet-untrained",
                "No fold of the result folder has a checkpoint_final.pth.",
                remedy="Train a fold to its end: `nnunet train`.",
            )
        return found


def import_results(
    folder: Path, package: Path, *, kinds: Sequence[str], name: str, version: str, axcodes: str = "RAS"
) -> str:
    """Writes the package of a result folder.

    Args:
        folder: The result folder, of ours or made elsewhere.
        package: Folder of the package.
        kinds: Of the images, in the order of the channels.
        name: Of the model.
        version: Of the model.
        axcodes: Where the axes of the files that it learned from run; ours run to right, anterior, superior.

    Returns:
        The package's digest.

    Raises:
        RejectedInput: The folder is none, its checkpoints hold code (``nnunet-pickled``), its network, labels or
            preprocessing are not drawn here (``nnunet-network``, ``nnunet-labels``, ``nnunet-plans``), or it takes
            other images (``nnunet-channels``).
    """
    results = ResultFolder.read(folder)
    label = _label(results.dataset)
    read = [_checkpoint(path) for path in results.checkpoints]
    plan = _plan(results, kinds, axcodes, read)
    networks = [converted_weights(each["network_weights"], plan.network) for each in read]
    checkpoints = "".join(sha256_of_file(path) for path in results.checkpoints)
    description = ModelDescription(
        name,
        version,
        method_called("nnunet"),
        plan.parameters,
        {
            **_our_inputs(results.dataset),
            "nnunet_plans": sha256_of_file(folder / "plans.json"),
            "nnunet_checkpoints": sha256_of_bytes(checkpoints.encode()),
        },
        images=tuple(kinds),
        label=label,
    )
    return write_package(package, description, as_members(networks))


def _our_inputs(dataset: Mapping[str, Any]) -> dict[str, str]:
    """What a dataset of ours says of the cases that were learned from, such as the snapshot's digest."""
    said = dataset.get(PROVENANCE)
    inputs = said.get("inputs") if isinstance(said, Mapping) else None
    return {str(name): str(digest) for name, digest in inputs.items()} if isinstance(inputs, Mapping) else {}


def _plan(results: ResultFolder, kinds: Sequence[str], axcodes: str, read: Sequence[Mapping[str, Any]]) -> NnunetPlan:
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
        order = [2 - axis for axis in results.plans["transpose_forward"]]
        mirrored = read[0]["inference_allowed_mirroring_axes"] or ()
        return NnunetPlan.from_parameters(
            {
                "scales": [_scale(results.plans, chosen, number) for number in range(len(schemes))],
                "axcodes": axcodes,
                "order": order,
                "spacing": chosen["spacing"],
                "canvas": chosen["patch_size"],
                "network": network_plan(chosen["architecture"], len(kinds)).parameters,
                "members": len(read),
                "mirrored": list(mirrored),
            }
        )
    except (KeyError, TypeError, IndexError) as error:
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


def _label(dataset: Mapping[str, Any]) -> str:
    try:
        [label] = [name for name, value in dataset["labels"].items() if value == 1]
        if dataset["labels"] != {"background": 0, label: 1}:
            raise ValueError("labels")
        return str(label)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RejectedInput(
            "nnunet-labels",
            "The network draws other labels than background and one more.",
            remedy="Import a network of one label.",
        ) from error


def _checkpoint(path: Path) -> Mapping[str, Any]:
    """A checkpoint's tensors and plain values; nothing in it runs."""
    try:
        with torch.serialization.safe_globals(_OF_NUMPY):
            found = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(found, dict) or not isinstance(found["network_weights"], Mapping):
            raise ValueError("no weights")
        return found
    except UnpicklingError as error:
        raise RejectedInput(
            "nnunet-pickled",
            f"{path.parent.name}/{path.name} holds more than tensors and numbers, which could run any code.",
            remedy="Ask for a checkpoint that nnU-Net itself wrote.",
        ) from error
    except (OSError, RuntimeError, KeyError, ValueError, EOFError) as error:
        raise RejectedInput(
            "nnunet-results",
            f"{path.parent.name}/{path.name} is no checkpoint of nnU-Net that can be read.",
            remedy="Copy the result folder again.",
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LIMIT:
            raise ValueError("size")
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("table")
        return found
    except (OSError, ValueError, RecursionError) as error:
        raise RejectedInput(
            "nnunet-results",
            f"The folder has no {path.name} that can be read.",
            remedy="Name a result folder: results/DatasetXXX_name/TRAINER__PLANS__CONFIGURATION.",
        ) from error


def _not_drawn(reason: str) -> RejectedInput:
    return RejectedInput(
        "nnunet-plans",
        f"The model cannot be drawn here as nnU-Net would: {reason}.",
        remedy="Draw with it in its own environment: `nnunet predict`.",
    )

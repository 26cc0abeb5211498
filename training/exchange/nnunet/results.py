"""A result folder of nnU-Net as a package of ours: its plans, and the weights of its folds. Imports torch.

Checkpoints are pickles: they are read by torch's own reader of tensors and plain values, which runs no code; the few
harmless classes of NumPy in which nnU-Net keeps single numbers are named to it. Anything else is refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - only its error, which torch's safe reader raises
from typing import Any

import numpy as np
import torch

from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, sha256_of_file
from training.exchange.imported import UNKNOWN_CASES, Imported
from training.exchange.nnunet.network import converted_weights
from training.exchange.nnunet.plans import plan_of
from training.exchange.nnunet.result_folder import ResultFolder, trained_folds
from training.learned_cases import fit_of
from training.model_package import ModelDescription, write_package
from training.segmenters.weights import as_members, is_plain
from training.table.method import function_called
from training.table.table import method_called

_OF_NUMPY: list[Any] = [
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
    np.dtypes.Int64DType,
    (np.array(0.0)[()].__reduce__()[0], "numpy._core.multiarray.scalar"),
    (np.array(0.0)[()].__reduce__()[0], "numpy.core.multiarray.scalar"),
]


def import_results(
    folder: Path, package: Path, *, name: str, version: str, kinds: Sequence[str] = (), axcodes: str = ""
) -> Imported:
    """Writes the package of a result folder: the folds that were trained to their end, as one ensemble.

    Args:
        folder: The result folder, of ours or made elsewhere.
        package: Folder of the package.
        name: Of the model.
        version: Of the model.
        kinds: Of the images, in the order of the channels; () where the dataset is ours, which says them.
        axcodes: Where the axes of the files that it learned from run, such as ``LPS``; empty where the dataset is ours
            or nnU-Net's reader turned them.

    Raises:
        RejectedInput: The folder is none, its checkpoints hold code (``nnunet-pickled``), its network, labels or
            preprocessing are not drawn here (``nnunet-network``, ``nnunet-labels``, ``nnunet-plans``), it takes
            other images (``nnunet-channels``), or its axes run otherwise or are not known (``nnunet-axes``).
    """
    results = ResultFolder.read(folder)
    label = results.label
    images, findings = results.kinds(kinds)
    axes, checkpoints = results.axcodes(axcodes), trained_folds(folder)
    read = [_checkpoint(path) for path in checkpoints.values()]
    mirrored = read[0].get("inference_allowed_mirroring_axes") or ()
    plan = plan_of(results, images, axcodes=axes, members=len(read), mirrored=mirrored)
    networks = [converted_weights(each["network_weights"], plan.network) for each in read]
    learned = results.learned_from(list(checkpoints))
    description = ModelDescription(
        name,
        version,
        method_called("nnunet"),
        plan.parameters | ({} if learned is None else fit_of(learned)),
        {
            **results.our_inputs,
            "nnunet_plans": sha256_of_file(folder / "plans.json"),
            "nnunet_checkpoints": sha256_of_bytes("".join(map(sha256_of_file, checkpoints.values())).encode()),
        },
        images=images,
        label=label,
    )
    unknown, tensors = [UNKNOWN_CASES] if learned is None else [], as_members(networks)
    function_called(description.method.load)(description, tensors)  # refuses what is not such a model
    return Imported(write_package(package, description, tensors), (*findings, *unknown))


def _checkpoint(path: Path) -> Mapping[str, Any]:
    """A checkpoint's tensors and plain values; nothing in it runs."""
    try:
        with torch.serialization.safe_globals(_OF_NUMPY):
            found = torch.load(path, map_location="cpu", weights_only=True)
        if not all(map(is_plain, found["network_weights"].values())):
            raise ValueError("no weights")
        return found
    except UnpicklingError as error:
        raise RejectedInput(
            "nnunet-pickled",
            f"{path.parent.name}/{path.name} holds more than tensors and numbers, which could run any code.",
            remedy="Ask for a checkpoint that nnU-Net itself wrote.",
        ) from error
    except Exception as error:  # a damaged archive may fail in any way
        raise RejectedInput(
            "nnunet-results",
            f"{path.parent.name}/{path.name} is no checkpoint of nnU-Net that can be read.",
            remedy="Copy the result folder again.",
        ) from error

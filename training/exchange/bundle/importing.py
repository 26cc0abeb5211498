"""A MONAI Bundle as a package. Imports torch.

Our own bundles say which method made them, and become a package of it again; others become an ``imported-bundle``.
Weights are read from safetensors, or from a state dict by torch's reader of tensors, which runs no code.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - only its error, which torch's safe reader raises
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.image.mask import TUMOUR
from training.exchange.bundle.export import CONFIG, METADATA, PICKLED, SAFE
from training.exchange.bundle.reading import plan_of, read_json
from training.model_package import ModelDescription, write_package
from training.segmenters.imported.bundle import bundle_network, bundle_steps
from training.segmenters.imported.bundle_plan import BundlePlan
from training.segmenters.weights import as_members, tensors_of, with_weights
from training.table.method import function_called
from training.table.table import method_called

_NESTED = ("state_dict", "model", "network")
"""Keys under which checkpoints hold the state dict."""


def import_bundle(
    folder: Path,
    package: Path,
    *,
    name: str,
    version: str,
    kinds: Sequence[str] = (),
    label: str = "",
    channel: int | None = None,
) -> str:
    """Writes the package of a bundle.

    Args:
        folder: The bundle.
        package: Folder of the package.
        name: Of the model.
        version: Of the model.
        kinds: Of the images, in the order of the channels; () for a bundle of ours, which says them.
        label: That it draws; empty for a bundle of ours, or for tumours.
        channel: Of the output that is the label; None for the only one that is not background.

    Returns:
        The package's digest.

    Raises:
        RejectedInput: The bundle holds code (``bundle-code``) or pickled weights (``bundle-pickled``), lacks a file
            (``bundle-missing``), does something else than is done here (``bundle-unmapped``), takes other images
            (``bundle-images``), or its weights are those of another network (``package-network``).
    """
    document = read_json(folder / METADATA)
    state = _state(folder)
    if (own := _own(document, name, version, folder)) is not None:
        tensors = _own_tensors(own, state)
        function_called(own.method.load)(own, tensors)  # refuses what is not such a model
        return write_package(package, own, tensors)
    plan = plan_of(read_json(folder / CONFIG), channel)
    if len(kinds) != plan.inputs:
        raise RejectedInput(
            "bundle-images",
            f"The network takes {plan.inputs} image(s), and {len(kinds)} kind(s) were named.",
            remedy="Name the kind of each input channel with --images, in their order.",
        )
    description = ModelDescription(
        name,
        version,
        method_called("imported-bundle"),
        plan.parameters,
        _inputs(folder),
        images=tuple(kinds),
        label=label or TUMOUR,
    )
    return write_package(package, description, _checked(plan, state))


def _checked(plan: BundlePlan, state: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors, once it is known that the network takes them and MONAI the transforms."""
    bundle_steps(plan)
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    return _unshared(tensors_of(with_weights(bundle_network(plan), arrays, device=torch.device("cpu"))))


def _unshared(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Without the second names of MONAI's DynUNet."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("skip_layers.")}


def _own(document: Mapping[str, Any], name: str, version: str, folder: Path) -> ModelDescription | None:
    """The description of a bundle that we exported; None for others."""
    said = document.get("provenance")
    if not (isinstance(said, Mapping) and {"method", "parameters", "images", "label", "package"} <= {*said}):
        return None
    try:
        return ModelDescription(
            name,
            version,
            method_called(said["method"]),
            dict(said["parameters"]),
            {**said["inputs"], "package": said["package"], **_inputs(folder)},
            images=tuple(said["images"]),
            label=str(said["label"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RejectedInput(
            "bundle-missing",
            "The bundle's metadata says that Maskloop made it, but not all of how.",
            remedy="Export the model again.",
        ) from error


def _own_tensors(description: ModelDescription, state: Mapping[str, Any]) -> dict[str, Any]:
    """A bundle's tensors as our packages name them: those of one network have no number there."""
    arrays = {name.replace(".", "/", 1) if name[:1].isdecimal() else name: each.numpy() for name, each in state.items()}
    if all(name[:1].isdecimal() for name in arrays):
        return {name: each for name, each in arrays.items() if "/skip_layers." not in name}
    return as_members([arrays]) if "members" in description.parameters else arrays


def _inputs(folder: Path) -> dict[str, str]:
    weights = SAFE if (folder / SAFE).is_file() else PICKLED
    return {"bundle_metadata": sha256_of_file(folder / METADATA), "bundle_weights": sha256_of_file(folder / weights)}


def _state(folder: Path) -> dict[str, torch.Tensor]:
    """The bundle's state dict.

    Raises:
        RejectedInput: There is none, or it is more than tensors.
    """
    try:
        if (folder / SAFE).is_file():
            found: Any = load((folder / SAFE).read_bytes())
        else:
            found = torch.load(folder / PICKLED, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise RejectedInput(
            "bundle-pickled",
            "The bundle's model.pt is a pickle of more than tensors, which could run any code.",
            remedy="Ask for a state dict (torch.save(network.state_dict())) or for model.safetensors.",
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError) as error:
        if isinstance(error, RuntimeError) and "TorchScript" in str(error):
            raise RejectedInput(
                "bundle-code",
                "The bundle's model.pt is a TorchScript program.",
                remedy="Ask for a state dict or for model.safetensors.",
            ) from error
        raise RejectedInput(
            "bundle-missing",
            "The bundle has no models/model.safetensors or models/model.pt that can be read.",
            remedy="Copy the whole bundle again.",
        ) from error
    for key in _NESTED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(each, torch.Tensor) for each in found.values()):
        raise RejectedInput(
            "bundle-missing",
            "The bundle's model.pt holds no state dict.",
            remedy="Save the network's state dict alone.",
        )
    return {str(name): tensor.float() if tensor.is_floating_point() else tensor for name, tensor in found.items()}

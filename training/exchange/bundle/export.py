"""A package as a MONAI Bundle: a folder that `monai.bundle` loads and runs without Maskloop."""

import io
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.numpy import save

from datasets.errors import RejectedInput
from datasets.files import canonical_json, write_bytes
from datasets.part_folder import part_folder, place_part
from training.exchange.bundle.metadata import metadata, readme
from training.exchange.bundle.networks import BundleNetworks, networks_of
from training.model_package import ModelDescription, Tensors
from training.table.method import function_called

CONFIG, METADATA = Path("configs") / "inference.json", Path("configs") / "metadata.json"
PICKLED, SAFE = Path("models") / "model.pt", Path("models") / "model.safetensors"

_NO_LICENCE = "No licence was stated for these weights: ask who gave them to you before you use or hand them on.\n"

_PROMPTED = "it draws from prompts, for which MONAI's bundles have no form."
_OTHERWISE = "it prepares images in a way that MONAI's transforms have not."


class MakeConfig(Protocol):
    """Makes a bundle's ``inference.json``: what the ``bundle`` of a method in the table names."""

    def __call__(self, description: ModelDescription, networks: BundleNetworks) -> tuple[dict[str, Any], list[int]]:
        """The document, and the shape of the networks' input."""
        ...


def export_bundle(folder: Path, description: ModelDescription, tensors: Tensors, *, licence: str = "") -> str:
    """Writes a package as a bundle, whole or not at all; the same package gives the same bytes.

    Args:
        folder: Must not exist.
        description: The package's.
        tensors: Its tensors.
        licence: Text of the weights' licence; empty where none is stated.

    Returns:
        Why the bundle holds the network alone; empty where it draws by itself.

    Raises:
        RejectedInput: Something lies at `folder` (``bundle-exists``), or a network is not one of MONAI's
            (``bundle-network``).
    """
    if folder.exists():
        raise RejectedInput("bundle-exists", f"{folder.name} is there already.", remedy="Name a new folder.")
    networks = networks_of(description, tensors)
    reason = _reason(description)
    config, shape = _config(description, networks)
    said = licence or _NO_LICENCE
    content = {
        CONFIG: canonical_json(config),
        METADATA: canonical_json(metadata(description, networks, reason=reason, shape=shape)),
        PICKLED: _pickled(networks.state),
        SAFE: save({name: tensor.numpy() for name, tensor in _once(networks.state).items()}),
        Path("docs") / "README.md": readme(
            description, networks, reason=reason, licence="The licence is in `docs/license.txt`."
        ).encode(),
        Path("docs") / "license.txt": said.encode(),
    }
    with part_folder(folder.parent) as part:
        for name, encoded in content.items():
            (part / name).parent.mkdir(exist_ok=True)
            write_bytes(part / name, encoded)
        place_part(part, folder)
    return reason


def _reason(description: ModelDescription) -> str:
    if description.method.bundle:
        return ""
    return _PROMPTED if description.method.prompts else _OTHERWISE


def _config(description: ModelDescription, networks: BundleNetworks) -> tuple[dict[str, Any], list[int] | None]:
    """`inference.json`, and the shape of the network's input; None for any."""
    if not description.method.bundle:
        return {"bundle_root": ".", "network_def": networks.definition}, None
    make: MakeConfig = function_called(description.method.bundle)
    return make(description, networks)


def _pickled(state: dict[str, Any]) -> bytes:
    encoded = io.BytesIO()
    torch.save(state, encoded)
    return encoded.getvalue()


def _once(state: dict[str, Any]) -> dict[str, Any]:
    """Each tensor by one of its names: MONAI's DynUNet has two for most."""
    seen: dict[int, str] = {}
    found = {}
    for name, tensor in sorted(state.items(), key=lambda each: "skip_layers." in each[0]):
        if tensor.numel() and seen.setdefault(tensor.data_ptr(), name) != name:
            continue
        found[name] = tensor.contiguous()
    return found

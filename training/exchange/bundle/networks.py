"""The networks of a package as a bundle defines them: by MONAI's own classes. Imports torch and MONAI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from monai.networks.nets import DynUNet
from torch import nn

from datasets.errors import RejectedInput
from training.model_package import ModelDescription, Tensors
from training.networks.dyn_unet import dyn_unet_arguments
from training.networks.slice_networks import SliceNetwork
from training.networks.unet25d import unet25d, unet25d_arguments
from training.networks.unet_plan import UNetPlan
from training.segmenters.slices.slice_plan import SlicePlan
from training.segmenters.weights import members_of, with_weights

_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class BundleNetworks:
    """The networks of a package.

    Args:
        members: With their weights, in evaluation mode.
        definitions: The ``_target_`` and arguments of each, as JSON values.
        channels: Of their input.
    """

    members: Sequence[nn.Module]
    definitions: Sequence[dict[str, Any]]
    channels: int

    @property
    def definition(self) -> dict[str, Any]:
        """The bundle's ``network_def``: the network, or several as one module."""
        if len(self.members) == 1:
            return self.definitions[0]
        return {"_target_": "torch.nn.ModuleList", "modules": list(self.definitions)}

    @property
    def state(self) -> dict[str, Any]:
        """The tensors of what `definition` defines, all names of the network among them."""
        whole = self.members[0] if len(self.members) == 1 else nn.ModuleList(self.members)
        return dict(whole.state_dict())


def networks_of(description: ModelDescription, tensors: Tensors) -> BundleNetworks:
    """The networks of a package.

    Raises:
        RejectedInput: A network is not one of MONAI's (``bundle-network``), or the package is damaged.
    """
    parameters = description.parameters
    if "rule" not in parameters and "input_size" in parameters:
        return _slice_networks(description, tensors)
    plans = _plans(parameters)
    members = members_of(tensors, len(plans))
    # Those of nnU-Net have a bias that ours have not.
    more = {"trans_bias": True} if "scales" in parameters else {}
    arguments = [dyn_unet_arguments(plan) | more for plan in plans]
    return BundleNetworks(
        [with_weights(DynUNet(**each), own, device=_CPU) for each, own in zip(arguments, members, strict=True)],
        [{"_target_": "monai.networks.nets.DynUNet"} | each for each in arguments],
        plans[0].channels,
    )


def _plans(parameters: Any) -> list[UNetPlan]:
    """The plan of each network, in the order of a package's tensors: refiners, then automatic ones."""
    found = parameters.get("networks") or [parameters.get("refiner", parameters.get("network"))] * parameters.get(
        "members", 1
    )
    if parameters.get("automatic") is not None:
        found = [*found, *[parameters["automatic"]] * parameters.get("members", 1)]
    if not found or not isinstance(found[0], Mapping) or "widths" not in found[0]:
        raise _not_of_monai()
    return [replace(UNetPlan.from_parameters(each), supervised=0) for each in found]


def _slice_networks(description: ModelDescription, tensors: Tensors) -> BundleNetworks:
    plan = SlicePlan.from_parameters(description.parameters)
    if plan.architecture is not SliceNetwork.RESIDUAL:
        raise _not_of_monai()
    images = len(description.kinds)
    own = members_of(tensors, plan.members) if "members" in description.parameters else [dict(tensors)]
    return BundleNetworks(
        [with_weights(unet25d(plan.widths, images=images), each, device=_CPU) for each in own],
        [{"_target_": "monai.networks.nets.UNet"} | unet25d_arguments(plan.widths, images=images)] * len(own),
        3 * images,
    )


def _not_of_monai() -> RejectedInput:
    return RejectedInput(
        "bundle-network",
        "The model's network is not one of MONAI's, so a bundle of it could not be loaded without Maskloop.",
        remedy="Export a model whose network is MONAI's, such as unet-3d; one that came as a bundle is one already.",
    )

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
from training.table.method import function_called

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
    """The networks of a package, as its method's row says.

    Raises:
        RejectedInput: A network is not one of MONAI's (``bundle-network``), or the package is damaged.
    """
    method = description.method
    if not method.bundle_networks:
        raise _not_of_monai()
    found: BundleNetworks = function_called(method.bundle_networks)(description, tensors)
    return found


def planned_networks(description: ModelDescription, tensors: Tensors) -> BundleNetworks:
    """The networks of methods whose folds plan them."""
    parameters = description.parameters
    return _dyn_unets(parameters.get("networks") or [parameters.get("network")] * _members(parameters), tensors)


def clicked_networks(description: ModelDescription, tensors: Tensors) -> BundleNetworks:
    """The refiners of methods of clicks, then their automatic networks."""
    parameters = description.parameters
    parts = [parameters.get("refiner"), parameters.get("automatic")]
    return _dyn_unets([part for part in parts if part is not None for _ in range(_members(parameters))], tensors)


def nnunet_networks(description: ModelDescription, tensors: Tensors) -> BundleNetworks:
    """The networks of nnU-Net, which have a bias that ours have not."""
    parameters = description.parameters
    return _dyn_unets([parameters.get("network")] * _members(parameters), tensors, trans_bias=True)


def slice_networks(description: ModelDescription, tensors: Tensors) -> BundleNetworks:
    """The small U-Nets on slices.

    Raises:
        RejectedInput: The encoder is not MONAI's (``bundle-network``).
    """
    plan = SlicePlan.from_parameters(description.parameters)
    if plan.architecture is not SliceNetwork.RESIDUAL:
        raise _not_of_monai()
    images = len(description.kinds)
    # Packages of before that hold one network do not number it.
    own = members_of(tensors, plan.members) if "members" in description.parameters else [dict(tensors)]
    return BundleNetworks(
        [with_weights(unet25d(plan.widths, images=images), each, device=_CPU) for each in own],
        [{"_target_": "monai.networks.nets.UNet"} | unet25d_arguments(plan.widths, images=images)] * len(own),
        3 * images,
    )


def _members(parameters: Mapping[str, Any]) -> int:
    return int(parameters.get("members", 1))


def _dyn_unets(described: Sequence[Any], tensors: Tensors, **more: Any) -> BundleNetworks:
    """MONAI's networks of several plans, in the order of a package's tensors."""
    plans = [replace(UNetPlan.from_parameters(each), supervised=0) for each in described]
    arguments = [dyn_unet_arguments(plan) | more for plan in plans]
    return BundleNetworks(
        [
            with_weights(DynUNet(**each), own, device=_CPU)
            for each, own in zip(arguments, members_of(tensors, len(plans)), strict=True)
        ],
        [{"_target_": "monai.networks.nets.DynUNet"} | each for each in arguments],
        plans[0].channels,
    )


def _not_of_monai() -> RejectedInput:
    return RejectedInput(
        "bundle-network",
        "The model's network is not one of MONAI's, so a bundle of it could not be loaded without Maskloop.",
        remedy="Export a model whose network is MONAI's, such as unet-3d; one that came as a bundle is one already.",
    )

"""The U-Net of all prompted methods: MONAI's DynUNet in two or three dimensions, one logit a voxel out.

Imports torch and MONAI: import this module only where a network is built.

Source: InteractiveNet and nnU-Net (instance norm, leaky ReLU, deep supervision). One logit with a sigmoid stands for
their two with a softmax. 2S-ICR's residual U-Net has the same stride of 1 in its first layer.
"""

from typing import Any

import torch
from monai.networks.nets import DynUNet
from torch import Tensor, nn

from training.networks.example_norms import keeping_layout
from training.networks.unet_plan import UNetPlan


def dyn_unet(plan: UNetPlan) -> nn.Module:
    """A DynUNet after `plan`.

    Returns:
        In training mode it gives (B, 1 + supervised, 1, …) logits, finest first, where `supervised` is not 0, else
        (B, 1, …); in evaluation mode always (B, 1, …).
    """
    return keeping_layout(DynUNet(**dyn_unet_arguments(plan)))


def dyn_unet_arguments(plan: UNetPlan) -> dict[str, Any]:
    """What MONAI's DynUNet is made with, as plain values; without deep supervision they are JSON."""
    return {
        "spatial_dims": len(plan.strides[0]),
        "in_channels": plan.channels,
        "out_channels": 1,
        "kernel_size": plan.kernels,
        "strides": plan.strides,
        "upsample_kernel_size": plan.strides[1:],
        "filters": plan.widths,
        "norm_name": ("INSTANCE", {"affine": True}),
        "act_name": ("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        "deep_supervision": plan.supervised > 0,
        "deep_supr_num": max(plan.supervised, 1),
    }


def heads(logits: Tensor, plan: UNetPlan) -> list[Tensor]:
    """The (B, 1, …) logits of each head of a network in training, finest first."""
    return list(torch.unbind(logits, dim=1)) if plan.supervised else [logits]

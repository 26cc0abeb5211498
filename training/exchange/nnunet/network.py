"""nnU-Net's plain U-Net as MONAI's DynUNet: the layouts are the same, their names are not. Imports torch.

Convolutions before an instance norm lose their bias, which the norm takes away again. Two logits with a softmax become
their difference with a sigmoid. On the way up, DynUNet has the kernels of the level below, nnU-Net those of the level
itself, which are smaller or the same: they lie in the middle of zeros.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from datasets.errors import RejectedInput
from training.networks.unet_plan import UNetPlan

_PLAIN = "PlainConvUNet"


def network_plan(architecture: Mapping[str, Any], channels: int) -> UNetPlan:
    """The layout of a network in nnU-Net's plans.

    Args:
        architecture: Of a configuration.
        channels: Images.

    Raises:
        RejectedInput: It is not a plain U-Net of two convolutions a stage with instance norm (``nnunet-network``).
    """
    kept = architecture["arch_kwargs"]
    stages = len(kept["features_per_stage"])
    fit = kept["n_stages"] == stages and str(architecture["network_class_name"]).endswith(f".{_PLAIN}")
    fit = fit and kept["n_conv_per_stage"] in (2, [2] * stages)
    fit = fit and kept["n_conv_per_stage_decoder"] in (2, [2] * (stages - 1))
    fit = fit and str(kept["norm_op"]).endswith("InstanceNorm3d") and kept["norm_op_kwargs"] == _NORM
    fit = fit and kept.get("dropout_op") is None and str(kept["nonlin"]).endswith("LeakyReLU")
    fit = fit and (kept.get("nonlin_kwargs") or {}).get("negative_slope", 0.01) == 0.01
    if not fit:
        raise _other()
    return UNetPlan(
        channels,
        tuple(kept["features_per_stage"]),
        tuple(tuple(step) for step in kept["strides"]),
        tuple(tuple(size) for size in kept["kernel_sizes"]),
    )


def converted_weights(weights: Mapping[str, Tensor], plan: UNetPlan) -> dict[str, Any]:
    """The weights of `training.segmenters.imported.nnunet.nnunet_network`.

    Args:
        weights: nnU-Net's ``network_weights``.
        plan: Of `network_plan`.

    Returns:
        float32 arrays by name.

    Raises:
        RejectedInput: They are not those of such a network.
    """
    try:
        return {name: tensor.to(torch.float32).contiguous().numpy() for name, tensor in _moved(weights, plan)}
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:  # tensors of other sizes
        raise _other() from error


_NORM = {"eps": 1e-05, "affine": True}


def _moved(weights: Mapping[str, Tensor], plan: UNetPlan) -> Iterator[tuple[str, Tensor]]:
    levels = len(plan.widths)
    for level in range(levels):
        own = "input_block" if level == 0 else "bottleneck" if level == levels - 1 else f"downsamples.{level - 1}"
        yield from _block(weights, f"encoder.stages.{level}.0.convs", own)
    for step in range(levels - 1):
        yield f"upsamples.{step}.transp_conv.conv.weight", weights[f"decoder.transpconvs.{step}.weight"]
        bias = weights.get(f"decoder.transpconvs.{step}.bias")
        width = plan.widths[levels - 2 - step]
        yield f"upsamples.{step}.transp_conv.conv.bias", torch.zeros(width) if bias is None else bias
        kernel = plan.kernels[levels - 1 - step]
        for name, tensor in _block(weights, f"decoder.stages.{step}.convs", f"upsamples.{step}.conv_block"):
            yield name, _widened(tensor, kernel) if name.endswith("conv.weight") else tensor
    for name in ("weight", "bias"):
        outside, inside = weights[f"decoder.seg_layers.{levels - 2}.{name}"]
        yield f"output_block.conv.conv.{name}", (inside - outside)[None]


def _block(weights: Mapping[str, Tensor], theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    for number in (0, 1):
        yield f"{ours}.conv{number + 1}.conv.weight", weights[f"{theirs}.{number}.conv.weight"]
        for name in ("weight", "bias"):
            yield f"{ours}.norm{number + 1}.{name}", weights[f"{theirs}.{number}.norm.{name}"]


def _widened(tensor: Tensor, kernel: Sequence[int]) -> Tensor:
    """A convolution with zeros around its taps, up to a kernel of more."""
    lacking = [wanted - size for wanted, size in zip(kernel, tensor.shape[2:], strict=True)]
    if min(lacking) < 0 or any(lack % 2 for lack in lacking):
        raise _other()
    return functional.pad(tensor, [lack // 2 for lack in reversed(lacking) for _ in range(2)])


def _other() -> RejectedInput:
    return RejectedInput(
        "nnunet-network",
        "The network is not nnU-Net's plain U-Net of two convolutions a stage, so it cannot be drawn here.",
        remedy="Train with nnU-Net's default plans (nnUNetPlans), or draw with `nnunet predict`.",
    )

"""Instance normalisation for training on processors: tensors stay in the memory layout in which they come.

Imports torch: import this module only where a network is built. torch's own brings every tensor from channels last into
the other layout, there and on the way back, and the next convolution brings it back again. The statistics of a batch of
one are those of its example, and torch's batch normalisation keeps the layout: in the first levels of a 3D U-Net it
takes a half (bf16) to a fifth (32 bits) of the time.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def keeping_layout(network: nn.Module) -> nn.Module:
    """The network, its instance normalisations replaced by such that keep the layout; weights and their names stay."""
    replaced: dict[nn.Module, nn.Module] = {}
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            kind = _KEEPING.get(type(child))
            if kind is not None:
                # A part may have two names in a network, and stays one part.
                setattr(parent, name, replaced.setdefault(child, kind.of(child)))
    return network


class _Keeping(nn.modules.instancenorm._InstanceNorm):
    """In training on a processor each example is normalised by itself; else torch's own."""

    @classmethod
    def of(cls, norm: Any) -> nn.Module:
        """With the weights of another one."""
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        made.weight, made.bias = norm.weight, norm.bias
        return made

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, …) of the same layout."""
        # Networks in service are traced with one example and answer several: there nothing may depend on their number.
        if not self.training or self.track_running_stats or images.is_cuda:
            return super().forward(images)
        each = [self._one(example) for example in images.split(1)]
        return each[0] if len(each) == 1 else torch.cat(each)

    def _one(self, example: Tensor) -> Tensor:
        if example.dtype is torch.float32:
            normalised: Tensor = _Exactly.apply(example, self.weight, self.bias, self.eps)
            return normalised
        return functional.batch_norm(example, None, None, self.weight, self.bias, training=True, eps=self.eps)


class _Keeping2d(_Keeping, nn.InstanceNorm2d):
    """Of pictures."""


class _Keeping3d(_Keeping, nn.InstanceNorm3d):
    """Of volumes."""


class _Exactly(torch.autograd.Function):
    """Batch normalisation in 32 bits, whose statistics torch adds up voxel by voxel where channels come last.

    That is wrong by 3e-5 of a deviation for 250 000 voxels, and by 4e-3 in a U-Net's gradients; a mean is added up in
    parts.
    """

    @staticmethod
    def forward(ctx: Any, example: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        axes = (0, *range(2, example.ndim))
        mean = example.mean(axes)
        variance = (example - mean.view(-1, *(1,) * (example.ndim - 2))).square_().mean(axes)
        ctx.save_for_backward(example, weight, mean, (variance + eps).rsqrt())
        ctx.eps = eps
        return functional.batch_norm(example, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        example, weight, mean, scale = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[0], weight is not None, weight is not None]
        found = torch.ops.aten.native_batch_norm_backward(
            gradients[0], example, weight, None, None, mean, scale, True, ctx.eps, wanted
        )
        return (*found, None)


_KEEPING: dict[type, type[_Keeping]] = {nn.InstanceNorm2d: _Keeping2d, nn.InstanceNorm3d: _Keeping3d}

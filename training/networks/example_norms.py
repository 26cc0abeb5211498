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
    """Batch normalisation in 32 bits, whose sums torch adds up voxel by voxel where channels come last.

    Those are wrong by 3e-5 for 250 000 voxels, enough that a training whose batches are split goes another way; torch's
    means and sums over axes are added up in parts.
    """

    @staticmethod
    def forward(ctx: Any, example: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        axes = (0, *range(2, example.ndim))
        mean = example.mean(axes)
        variance = (example - _beside(mean, example)).square_().mean(axes)
        ctx.save_for_backward(example, weight, mean, (variance + eps).rsqrt())
        return functional.batch_norm(example, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        [gradient], [example, weight, mean, scale] = gradients, ctx.saved_tensors
        axes, count = (0, *range(2, example.ndim)), example.numel() // example.shape[1]
        of_bias = gradient.sum(axes)
        of_weight = ((example * gradient).sum(axes) - mean * of_bias) * scale
        # scale * weight * (gradient - its mean - normalised example * mean of their product), as a sum of two multiples
        factor = scale if weight is None else scale * weight
        slope = -factor * scale * of_weight / count
        shift = -factor * of_bias / count - slope * mean
        zeros, ones = torch.zeros_like(mean), torch.ones_like(mean)
        found = functional.batch_norm(example, zeros, ones, slope, shift, training=False, eps=0.0)
        found.addcmul_(gradient, _beside(factor, example))
        return found, None if weight is None else of_weight, None if weight is None else of_bias, None


def _beside(numbers: Tensor, example: Tensor) -> Tensor:
    """A number for each channel, so that it is repeated over the example's voxels."""
    return numbers.view(-1, *(1,) * (example.ndim - 2))


_KEEPING: dict[type, type[_Keeping]] = {nn.InstanceNorm2d: _Keeping2d, nn.InstanceNorm3d: _Keeping3d}

"""An imported nnU-Net: its network in MONAI's DynUNet, and its own reading of images. Imports torch.

Source: nnU-Net v2 (DefaultPreprocessor, default_resampling, sliding window, export_prediction).
"""

from collections.abc import Sequence

import numpy as np
import torch
from monai.networks.nets import DynUNet
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, map_coordinates
from skimage.transform import resize

from datasets.image.mask_box import mask_box
from datasets.image.volume import Grid, Volume
from training.inputs.canvas import Picture
from training.model_package import ModelDescription, Tensors
from training.networks.dyn_unet import dyn_unet_arguments
from training.networks.unet_plan import UNetPlan
from training.runtime import Runtime
from training.segmenters.imported.nnunet_plan import CT, ChannelScale, NnunetPlan
from training.segmenters.request_images import images_of
from training.segmenters.segmenter import Segmentation, SegmentationRequest
from training.segmenters.tiling import tiled_fields
from training.segmenters.uncertainty import uncertainty_of
from training.segmenters.weights import members_of, runtimes_of

_ANISOTROPIC_ABOVE = 3.0
"""Ratio of spacings above which slices are resampled apart from each other."""

_OUTSIDE = np.float32(-100.0)
"""Logit outside the region that is not zero."""


def nnunet_network(plan: UNetPlan) -> DynUNet:
    """MONAI's DynUNet laid out as nnU-Net's plain U-Net, whose transposed convolutions have a bias."""
    return DynUNet(**dyn_unet_arguments(plan) | {"trans_bias": True})


class NnunetSegmenter:
    """Draws as nnU-Net does.

    Args:
        members: Networks whose logits are averaged.
        plan: The package's plan.
        kinds: Of the images.
        title: Name and version.
    """

    def __init__(self, members: Sequence[Runtime], plan: NnunetPlan, kinds: Sequence[str], *, title: str) -> None:
        self._members = members
        self._plan = plan
        self._kinds = kinds
        self._title = title

    @classmethod
    def from_package(cls, description: ModelDescription, tensors: Tensors) -> "NnunetSegmenter":
        """The segmenter of a package, on the best device there is.

        Raises:
            RejectedInput: The parameters or tensors are not those of this method.
        """
        plan = NnunetPlan.from_parameters(description.parameters)
        networks = [nnunet_network(plan.network) for _ in range(plan.members)]
        members = runtimes_of(networks, members_of(tensors, plan.members))
        return cls(members, plan, description.kinds, title=description.title)

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour; thread-safe.

        Raises:
            RejectedInput: An image is missing.
            GeometryError: The images lie on different grids.
        """
        volumes = list(images_of(request, self._kinds).values())
        grid, plan = volumes[0].grid, self._plan
        turn = ornt_transform(io_orientation(grid.affine), axcodes2ornt(tuple(plan.axcodes)))
        data = np.stack([_turned(each, turn, plan.order) for each in volumes])
        spacing = np.array(_turned_spacing(grid, turn))[list(plan.order)]
        fields = self._fields(data, spacing, with_spread=request.wants_uncertainty)
        back = ornt_transform(axcodes2ornt(tuple(plan.axcodes)), io_orientation(grid.affine))
        fields = np.stack([apply_orientation(each.transpose(np.argsort(plan.order)), back) for each in fields])
        found = uncertainty_of(fields) if request.wants_uncertainty else None
        return Segmentation(
            Volume(torch.from_numpy(np.ascontiguousarray(fields[0])).sigmoid().numpy(), grid),
            self._title,
            score=None if found is None else 1.0 - found.of_case,
            uncertainty=None if found is None else Volume(found.entropy, grid),
        )

    def _fields(self, data: Picture, spacing: NDArray[np.float64], *, with_spread: bool) -> Picture:
        """Fields on the network's order of axes, as fine as the images."""
        region = np.asarray(binary_fill_holes((data != 0).any(axis=0)))
        box = mask_box(region) or tuple(slice(0, size) for size in region.shape)
        inside = region[box]
        scaled = np.stack(
            [
                _scaled(image[box], scale, inside)
                for image, scale in zip(data, self._plan.scales, strict=True)
            ]
        )  # fmt: skip
        target = np.array(self._plan.spacing)
        shape = [round(s / t * n) for s, t, n in zip(spacing, target, inside.shape, strict=True)]
        apart = _apart(spacing, target)
        picture = np.stack([resampled(each, shape, order=3, apart=apart) for each in scaled])
        drawn = tiled_fields(
            picture, self._plan.canvas, self._members, mirrored=self._plan.mirrored, with_spread=with_spread
        )
        apart = _apart(target, spacing)
        whole = np.full((len(drawn), *region.shape), _OUTSIDE, dtype=np.float32)
        whole[1:2] = 0.0
        whole[(slice(None), *box)] = [resampled(each, inside.shape, order=1, apart=apart) for each in drawn]
        return whole


def resampled(data: Picture, shape: Sequence[int], *, order: int, apart: int | None) -> Picture:
    """An array brought to a shape by splines.

    Args:
        data: (i, j, k).
        shape: Wanted.
        order: Of the splines.
        apart: Axis along which the nearest slice is taken; None for splines along all axes.
    """
    if tuple(shape) == data.shape:
        return data
    wanted = tuple(max(int(size), 1) for size in shape)
    kept = {"order": order, "mode": "edge", "anti_aliasing": False}
    if apart is None:
        found: Picture = resize(data.astype(np.float64), wanted, **kept).astype(np.float32)
        return found
    slices = np.moveaxis(data.astype(np.float64), apart, 0)
    plane = [size for axis, size in enumerate(wanted) if axis != apart]
    resized = np.stack([resize(each, plane, **kept) for each in slices])
    places = (np.arange(wanted[apart]) + 0.5) * len(resized) / wanted[apart] - 0.5
    nearest = map_coordinates(np.arange(len(resized), dtype=np.float64), [places], order=0, mode="nearest")
    return np.moveaxis(resized[nearest.astype(int)], 0, apart).astype(np.float32)


def _apart(now: NDArray[np.float64], then: NDArray[np.float64]) -> int | None:
    """The axis along which slices are resampled apart: the coarsest of the first spacing that is anisotropic."""
    for spacing in (now, then):
        if spacing.max() / spacing.min() > _ANISOTROPIC_ABOVE:
            coarsest = np.flatnonzero(spacing == spacing.max())
            return int(coarsest[0]) if len(coarsest) == 1 else None
    return None


def _scaled(image: Picture, scale: ChannelScale, inside: NDArray[np.bool_]) -> Picture:
    if scale.scheme == CT:
        cut: Picture = np.clip(image, scale.low, scale.high)
        return (cut - np.float32(scale.mean)) / np.float32(max(scale.deviation, 1e-8))
    seen = image[inside] if scale.masked and inside.any() else image
    scored: Picture = (image - seen.mean()) / max(seen.std(), np.float32(1e-8))
    return np.where(inside, scored, image) if scale.masked else scored


def _turned(volume: Volume, turn: NDArray[np.float64], order: Sequence[int]) -> Picture:
    data = np.nan_to_num(np.asarray(volume.data, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    turned: Picture = np.ascontiguousarray(apply_orientation(data, turn).transpose(tuple(order)))
    return turned


def _turned_spacing(grid: Grid, turn: NDArray[np.float64]) -> tuple[float, float, float]:
    affine = grid.affine @ inv_ornt_aff(turn, grid.shape)
    i, j, k = np.linalg.norm(affine[:3, :3], axis=0)
    return float(i), float(j), float(k)

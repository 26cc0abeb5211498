"""The 2.5D U-Net on the slices of a case: automatic, prompts are ignored. Imports torch: imported by `loading.py`."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from training.inputs.slice_triplets import PictureRule, case_stack, resized_stack, triplets
from training.model_package import ModelDescription, Tensors
from training.networks.unet25d import unet25d
from training.networks.unet_plan import MOST_MEMBERS
from training.segmenters.postprocessing import Cleaning, cleaned
from training.segmenters.request_images import images_of
from training.segmenters.segmenter import Segmentation, SegmentationRequest
from training.segmenters.weights import best_device, members_of, with_weights

_BATCH = 8
"""Slices in a batch: enough for two cores, and small enough for a small GPU."""


class UNet25dSegmenter:
    """Segments the tumour automatically from the images that it learned from.

    Args:
        members: Networks with their weights, in evaluation mode, whose logits are averaged.
        description: The package's description.
        device: Device of the networks.

    Raises:
        RejectedInput: The package's parameters are not those of this method.
    """

    def __init__(
        self, members: Sequence[torch.nn.Module], description: ModelDescription, *, device: torch.device
    ) -> None:
        self._members = members
        self._title, self._images = description.title, description.kinds
        self._rule = PictureRule.from_parameters(description.parameters)
        self._cleaning = Cleaning(description.parameters.get("cleaning", Cleaning.NONE))
        self._device = device

    @classmethod
    def from_package(cls, description: ModelDescription, tensors: Tensors) -> "UNet25dSegmenter":
        """The segmenter of a package, on the best device there is.

        Raises:
            RejectedInput: The parameters or tensors are not those of a 2.5D U-Net.
        """
        device = best_device()
        try:
            networks = [
                with_weights(
                    unet25d(description.parameters["widths"], images=len(description.kinds)), own, device=device
                )
                for own in _members(description, tensors)
            ]
            return cls(networks, description, device=device)
        except (KeyError, TypeError, ValueError) as error:
            raise RejectedInput(
                "package-parameters",
                "The package does not hold the parameters of a 2.5D U-Net (widths, input size, percentiles).",
                remedy="Train the model again, or use the version of Maskloop that made it.",
            ) from error

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour on the requested slices; thread-safe; needs all its images on one grid.

        Raises:
            RejectedInput: An image or a slice is missing.
            GeometryError: The images lie on different grids.
        """
        volumes = images_of(request, self._images)
        pictures = PicturePlane.along(next(iter(volumes.values())).grid, request.slice_axis)
        asked = list(pictures.indices(request.slices))
        probability = np.zeros(pictures.grid.shape, dtype=np.float32)
        if asked:
            # Which parts are stray is seen in the whole volume alone.
            drawn = asked if self._cleaning is Cleaning.NONE else list(range(pictures.slice_count))
            pictures.stack(probability)[drawn] = self._drawn(volumes, pictures, drawn)
            probability = cleaned(probability, self._cleaning)
            pictures.stack(probability)[sorted({*drawn} - {*asked})] = 0.0
        return Segmentation(Volume(probability, pictures.grid), self._title)

    def _drawn(
        self, volumes: Mapping[str, Volume], pictures: PicturePlane, indices: Sequence[int]
    ) -> NDArray[np.float32]:
        """Probability (N, height, width) of the slices; logits are resized, then squashed (MSTT-199)."""
        stack = case_stack(volumes, pictures, self._rule)
        logits = [
            self._logits(triplets(stack, indices[start : start + _BATCH])) for start in range(0, len(indices), _BATCH)
        ]
        full = resized_stack(np.concatenate(logits), pictures.shape)
        probability: NDArray[np.float32] = torch.from_numpy(full).sigmoid().numpy()
        return probability

    def _logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean logits of all members."""
        with torch.inference_mode():
            images = torch.from_numpy(batch).to(self._device)
            logits: NDArray[np.float32] = (
                torch.stack([each(images) for each in self._members]).mean(0)[:, 0].cpu().numpy()
            )
        return logits


def _members(description: ModelDescription, tensors: Tensors) -> Sequence[Tensors]:
    """The tensors of each network; packages of earlier versions hold one, without its number.

    Raises:
        ValueError: It is no number of networks.
    """
    count = description.parameters.get("members")
    if count is None:
        return [tensors]
    if type(count) is not int or not 1 <= count <= MOST_MEMBERS:
        raise ValueError("members")
    return members_of(tensors, count)

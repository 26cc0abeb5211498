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
from training.segmenters.request_images import images_of
from training.segmenters.segmenter import Segmentation, SegmentationRequest
from training.segmenters.weights import best_device, with_weights

_BATCH = 8
"""Slices in a batch: enough for two cores, and small enough for a small GPU."""


class UNet25dSegmenter:
    """Segments the tumour automatically from the images that it learned from.

    Args:
        network: With its weights, in evaluation mode.
        description: The package's description.
        device: Device of the network.

    Raises:
        RejectedInput: The package's parameters are not those of this method.
    """

    def __init__(self, network: torch.nn.Module, description: ModelDescription, *, device: torch.device) -> None:
        self._network = network
        self._title, self._images = description.title, description.kinds
        self._rule = PictureRule.from_parameters(description.parameters)
        self._device = device

    @classmethod
    def from_package(cls, description: ModelDescription, tensors: Tensors) -> "UNet25dSegmenter":
        """The segmenter of a package, on the best device there is.

        Raises:
            RejectedInput: The parameters or tensors are not those of a 2.5D U-Net.
        """
        device = best_device()
        try:
            network = unet25d(description.parameters["widths"], images=len(description.kinds))
            return cls(with_weights(network, tensors, device=device), description, device=device)
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
        indices = pictures.indices(request.slices)
        probability = np.zeros(pictures.grid.shape, dtype=np.float32)
        if indices:
            drawn = pictures.stack(probability)
            drawn[list(indices)] = self._drawn(volumes, pictures, indices)
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
        with torch.inference_mode():
            logits: NDArray[np.float32] = self._network(torch.from_numpy(batch).to(self._device))[:, 0].cpu().numpy()
        return logits

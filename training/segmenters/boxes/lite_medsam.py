"""LiteMedSAM on slices: its preprocessing, its image encoder and its masks. Imports torch: `loading.py` imports it.

Source: Ma et al., Segment anything in medical images, Nat Commun 2024 (doi 10.1038/s41467-024-44824-z); its LiteMedSAM
branch.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from datasets.errors import RejectedInput
from training.model_package import ModelDescription, Tensors
from training.networks.lite_medsam import IMAGE_SIZE, LiteMedSam
from training.prompts.picture_boxes import PictureBox
from training.runtime import runtime_of
from training.segmenters.boxes.box_propagation import BoxPrediction
from training.segmenters.boxes.box_segmenter import BoxSegmenter, Features
from training.segmenters.boxes.embedding_cache import EmbeddingStore
from training.segmenters.grey_slices import GreyRule
from training.segmenters.weights import best_device, with_weights

_ROUNDING = 1e-6
"""Pixels by which a box may lie below a whole pixel through rounding."""


class LiteMedSamSegmenter(BoxSegmenter):
    """Segments the prompts' boxes, slice by slice, with LiteMedSAM."""

    @classmethod
    def from_package(
        cls, description: ModelDescription, tensors: Tensors, store: EmbeddingStore | None = None
    ) -> "LiteMedSamSegmenter":
        """The segmenter of a package, on the best device there is, with a store for its embeddings.

        Raises:
            RejectedInput: The parameters or tensors are not those of LiteMedSAM.
        """
        if description.parameters.get("image_size") != IMAGE_SIZE:
            raise RejectedInput(
                "package-parameters",
                f"LiteMedSAM takes pictures of {IMAGE_SIZE} pixels; the package says another size.",
                remedy="Convert the model again, or use the version of Maskloop that made it.",
            )
        rule = GreyRule.from_parameters(description.parameters)
        device = best_device()
        predictor = LiteMedSamPredictor(with_weights(LiteMedSam(), tensors, device=device), device=device)
        return cls(predictor, title=description.title, rule=rule, store=store)


class LiteMedSamPredictor:
    """LiteMedSAM: the encoder in the fastest runtime there is, the small decoder in torch.

    Args:
        network: With its weights, on `device`, in evaluation mode.
        device: Its device.

    Attributes:
        network: As given.
        encoder: What embeds pictures.
    """

    def __init__(self, network: LiteMedSam, *, device: torch.device) -> None:
        self.network = network
        self._device = device
        self.encoder = runtime_of(network.image_encoder, device=device)

    def embed(self, grey: NDArray[np.uint8]) -> Features:
        """Image embedding (1, 256, 64, 64) of a slice (height, width) in 8 bits."""
        return self.encoder(np.broadcast_to(prepared(grey), (1, 3, IMAGE_SIZE, IMAGE_SIZE)))

    def draw(self, embedding: Features, boxes: Sequence[PictureBox], shape: tuple[int, int]) -> BoxPrediction:
        """The masks of boxes: logits resized to the slice, then made probabilities, as published."""
        logits, quality = self.logits(embedding, [scaled_box(box, shape=shape) for box in boxes])
        height, width = scaled_shape(shape)
        fitted = functional.interpolate(logits[:, None, :height, :width], size=shape, mode="bilinear")
        joined = fitted.amax(dim=(0, 1)).sigmoid()
        return BoxPrediction(joined.cpu().numpy(), float(quality.clamp(0.0, 1.0).mean()))

    @torch.inference_mode()
    def logits(
        self, embedding: Features, boxes: Sequence[tuple[int, int, int, int]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The network's output for boxes.

        Args:
            embedding: float32 (1, 256, 64, 64).
            boxes: Left, top, right, bottom in pixels of the 256 picture.

        Returns:
            Logits (N, 256, 256) and estimates of the masks' IoU (N,).
        """
        corners = torch.tensor(boxes, dtype=torch.float32, device=self._device)
        return self.network.decode(torch.from_numpy(embedding).to(self._device), corners)


def prepared(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A slice as the network takes it: longest side 256, 0..1 over the slice, padded right and below with 0.

    Args:
        grey: uint8 (height, width).

    Returns:
        float32 (256, 256).
    """
    height, width = scaled_shape((grey.shape[0], grey.shape[1]))
    small = cv2.resize(np.ascontiguousarray(grey), (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    picture = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.float32)
    picture[:height, :width] = (small - small.min()) / max(float(small.max() - small.min()), 1e-8)
    return picture


def scaled_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a picture whose longest side is made 256; at least one pixel."""
    scale = IMAGE_SIZE / max(shape)
    return max(int(shape[0] * scale + 0.5), 1), max(int(shape[1] * scale + 0.5), 1)


def scaled_box(box: PictureBox, *, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a box on a picture of `shape`, in whole pixels of the 256 picture."""
    scale = IMAGE_SIZE / max(shape)
    left, top, right, bottom = (int(side * scale + _ROUNDING) for side in (box.left, box.top, box.right, box.bottom))
    return left, top, right, bottom

"""MedSAM (ViT-B) on slices: its preprocessing and its masks. Imports torch: `loading.py` imports it.

On a processor its encoder takes seconds a slice (about ten times LiteMedSAM's), so slices are best prepared ahead.

Source: Ma et al., Segment anything in medical images, Nat Commun 2024 (doi 10.1038/s41467-024-44824-z), with the
preprocessing and the order of steps of its MedSAM_Inference.py.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers import SamModel

from datasets.errors import RejectedInput
from training.model_package import ModelDescription, Tensors
from training.networks.medsam_vit import SamArchitecture, VisionEncoder, decode, medsam_vit
from training.prompts.picture_boxes import PictureBox
from training.runtime import runtime_of
from training.segmenters.boxes.box_propagation import BoxPrediction
from training.segmenters.boxes.box_segmenter import BoxSegmenter, Features
from training.segmenters.boxes.embedding_cache import EmbeddingStore
from training.segmenters.grey_slices import GreyRule
from training.segmenters.weights import best_device, with_weights


class MedSamVitSegmenter(BoxSegmenter):
    """Segments the prompts' boxes, slice by slice, with MedSAM."""

    @classmethod
    def from_package(
        cls, description: ModelDescription, tensors: Tensors, store: EmbeddingStore | None = None
    ) -> "MedSamVitSegmenter":
        """The segmenter of a package, on the best device there is, with a store for its embeddings.

        Raises:
            RejectedInput: The parameters or tensors are not those of a MedSAM.
        """
        rule = GreyRule.from_parameters(description.parameters)
        try:
            architecture = SamArchitecture.from_parameters(description.parameters["architecture"])
            network = medsam_vit(architecture)
        except (KeyError, TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
            raise RejectedInput(
                "package-parameters",
                "The sizes among the model's parameters are not those of a SAM.",
                remedy="Convert the model again, or use the version of Maskloop that made it.",
            ) from error
        device = best_device()
        predictor = MedSamVitPredictor(
            with_weights(network, tensors, device=device), image_size=architecture.image_size, device=device
        )
        return cls(predictor, title=description.title, rule=rule, store=store)


class MedSamVitPredictor:
    """MedSAM: the encoder in the fastest runtime there is, the small decoder in torch.

    Args:
        network: With its weights, on `device`, in evaluation mode.
        image_size: Side of the square picture it takes.
        device: Its device.

    Attributes:
        encoder: What embeds pictures.
    """

    def __init__(self, network: SamModel, *, image_size: int, device: torch.device) -> None:
        self._network = network
        self._image_size = image_size
        self._device = device
        self.encoder = runtime_of(VisionEncoder(network).eval(), device=device)

    def embed(self, grey: NDArray[np.uint8]) -> Features:
        """Image embedding (1, C, h, w) of a slice (height, width) in 8 bits."""
        side = self._image_size
        return self.encoder(np.broadcast_to(prepared(grey, side=side), (1, 3, side, side)))

    def draw(self, embedding: Features, boxes: Sequence[PictureBox], shape: tuple[int, int]) -> BoxPrediction:
        """The masks of boxes: probabilities resized to the slice, as published."""
        corners = torch.tensor([stretched_box(box, shape=shape, side=self._image_size) for box in boxes])
        with torch.inference_mode():
            logits, quality = decode(
                self._network, torch.from_numpy(embedding).to(self._device), corners.float().to(self._device)
            )
            fitted = functional.interpolate(logits.sigmoid()[:, None], size=shape, mode="bilinear")
        return BoxPrediction(fitted.amax(dim=(0, 1)).cpu().numpy(), float(quality.clamp(0.0, 1.0).mean()))


def prepared(grey: NDArray[np.uint8], *, side: int) -> NDArray[np.float32]:
    """A slice as the network takes it: stretched to a square by cubic interpolation, in 8 bits, then 0..1.

    Args:
        grey: uint8 (height, width).
        side: Side of the square.

    Returns:
        float32 (side, side).
    """
    from skimage.transform import resize

    square = resize(grey, (side, side), order=3, preserve_range=True, anti_aliasing=True).astype(np.uint8)
    low, high = int(square.min()), int(square.max())
    scaled: NDArray[np.float32] = ((square.astype(np.float64) - low) / max(high - low, 1e-8)).astype(np.float32)
    return scaled


def stretched_box(box: PictureBox, *, shape: tuple[int, int], side: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a box on a picture of `shape` (height, width), in pixels of the square."""
    down, across = side / shape[0], side / shape[1]
    return box.left * across, box.top * down, box.right * across, box.bottom * down

"""LiteMedSAM on the slices of one sequence: boxes in, masks out. Imports torch: imported by `loading.py` when needed.

LiteMedSAM learned from boxes only, so every prompt is read as boxes (`prompts/picture_boxes.py`); how, is said in the
answer's model version: nothing added for drawn boxes, ``+box-around-point`` where a box was put around clicks,
``+full-picture-box`` where there were no prompts at all (the automatic mode of MSTT-199).

Source: Ma et al., Segment anything in medical images, Nat Commun 2024 (doi 10.1038/s41467-024-44824-z); preprocessing
of its LiteMedSAM branch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from datasets.errors import RejectedInput
from datasets.intensity import percentile_window, to_uint8
from datasets.picture_plane import PicturePlane
from datasets.volume import Volume
from training.model_package import ModelDescription, Tensors
from training.networks.lite_medsam import IMAGE_SIZE, LiteMedSam
from training.prompts.picture_boxes import PictureBox, SliceBoxes, read_boxes
from training.segmenters.embedding_cache import EmbeddingCache
from training.segmenters.segmenter import Segmentation, SegmentationRequest
from training.segmenters.weights import best_device, with_weights


class LiteMedSamSegmenter:
    """Draws what the prompts' boxes hold, slice by slice.

    Args:
        network: With its weights, in evaluation mode.
        description: What the package says.
        device: Where the network lies.

    Raises:
        RejectedInput: The package's parameters are not those of this method.
    """

    def __init__(self, network: LiteMedSam, description: ModelDescription, *, device: torch.device) -> None:
        self._network = network
        self._title = description.title
        self._rule = GreyRule.from_parameters(description.parameters)
        self._device = device
        self._cache = EmbeddingCache[Tensor]()
        self._encoding = Lock()

    @classmethod
    def from_package(cls, description: ModelDescription, tensors: Tensors) -> "LiteMedSamSegmenter":
        """The segmenter of a package, on the best device there is.

        Raises:
            RejectedInput: The parameters or tensors are not those of LiteMedSAM.
        """
        device = best_device()
        return cls(with_weights(LiteMedSam(), tensors, device=device), description, device=device)

    def prepare(self, request: SegmentationRequest) -> None:
        """Embeds the requested slices ahead of the first prompt, as far as the cache has room.

        Raises:
            RejectedInput: The target sequence or a slice is missing, or the request has no cache key.
        """
        if not request.cache_key:
            raise RejectedInput(
                "cache-key", "Expected a cache key to prepare slices, got none.", remedy="Name the images."
            )
        slices = _GreySlices(request, self._rule)
        for index in slices.pictures.indices(request.slices):
            self._embedding(request, slices, index)

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour on the requested slices; thread-safe.

        Boxes drawn with depth leave the slices beyond them empty; see `prompts/picture_boxes.py` for the rest. Where
        several boxes lie on a slice, their masks are joined. The score is the mean over slices of the network's own
        IoU estimate.

        Raises:
            RejectedInput: The target sequence is missing, or a prompt or a slice does not lie in the image.
        """
        slices = _GreySlices(request, self._rule)
        pictures = slices.pictures
        indices = pictures.indices(request.slices)
        prompted = None if request.prompts.is_empty else read_boxes(request.prompts, pictures)
        probability = np.zeros(pictures.grid.shape, dtype=np.float32)
        drawn, scores = pictures.stack(probability), []
        for index in indices:
            if boxes := _boxes_on(index, prompted, pictures):
                embedding = self._embedding(request, slices, index)
                drawn[index], score = self._decode(embedding, boxes, shape=pictures.shape)
                scores.append(score)
        return Segmentation(
            probability=Volume(probability, pictures.grid),
            model_version=self._title + _reading(prompted, indices),
            score=float(np.mean(scores)) if scores else None,
        )

    def _embedding(self, request: SegmentationRequest, slices: "_GreySlices", index: int) -> Tensor:
        """Embedding (1, 256, 64, 64) of a slice, out of the cache or fresh."""
        if not request.cache_key:
            return self._embed(slices.prepared(index))
        key = (request.cache_key, request.target, request.slice_axis, index)
        return self._cache.get(key, lambda: self._embed(slices.prepared(index)))

    def _embed(self, picture: NDArray[np.float32]) -> Tensor:
        """One picture at a time, since one fills the machine."""
        image = torch.from_numpy(picture).to(self._device).expand(1, 3, -1, -1)
        with self._encoding, torch.inference_mode():
            return self._network.embed(image)

    def _decode(
        self, embedding: Tensor, boxes: Sequence[PictureBox], *, shape: tuple[int, int]
    ) -> tuple[NDArray[np.float32], float]:
        """Probability (height, width) of the joined masks, and the mean estimate of their IoU in 0..1."""
        corners = torch.tensor([scaled_box(box, shape=shape) for box in boxes], dtype=torch.float32)
        height, width = scaled_shape(shape)
        with torch.inference_mode():
            logits, quality = self._network.decode(embedding, corners.to(self._device))
            fitted = functional.interpolate(logits[:, None, :height, :width], size=shape, mode="bilinear")
            joined = fitted.amax(dim=(0, 1)).sigmoid()
        picture: NDArray[np.float32] = joined.float().cpu().numpy()
        return picture, float(quality.clamp(0.0, 1.0).mean())


@dataclass(frozen=True)
class GreyRule:
    """How a volume becomes grey values; stored in the model package.

    Args:
        low_percentile: Lower end of the grey window, in percent of the voxels looked at.
        high_percentile: Upper end of the grey window.
        foreground_only: Whether only voxels above zero are looked at.
    """

    low_percentile: float
    high_percentile: float
    foreground_only: bool

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "GreyRule":
        """The rule that a package's parameters hold.

        Raises:
            RejectedInput: They hold another picture size than the network's, or no rule.
        """
        rest = dict(parameters)
        try:
            if rest.pop("image_size") != IMAGE_SIZE:
                raise ValueError("image_size")
            return cls(**rest)
        except (KeyError, TypeError, ValueError) as error:
            raise RejectedInput(
                "package-parameters",
                f"Expected a picture size of {IMAGE_SIZE} and the percentiles of LiteMedSAM, got other parameters.",
                remedy="Convert the model again, or use the version of Maskloop that made it.",
            ) from error


class _GreySlices:
    """The slices of a request's target sequence; its grey values are found when the first slice is asked for."""

    def __init__(self, request: SegmentationRequest, rule: GreyRule) -> None:
        if request.target not in request.volumes:
            raise RejectedInput(
                "sequence-missing",
                f"Expected the sequence {request.target} among the case's images, got it not.",
                remedy="Give the volume of the sequence that is drawn on.",
            )
        self._volume = request.volumes[request.target]
        self._rule = rule
        self.pictures = PicturePlane.along(self._volume.grid, request.slice_axis)

    def prepared(self, index: int) -> NDArray[np.float32]:
        """Slice `index` as the network takes it, float32 (256, 256)."""
        return prepared(to_uint8(self.pictures.stack(self._volume.data)[index], window=self._window))

    @cached_property
    def _window(self) -> tuple[float, float]:
        rule = self._rule
        return percentile_window(
            self._volume.data,
            low=rule.low_percentile,
            high=rule.high_percentile,
            foreground_only=rule.foreground_only,
        )


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
    return int(box.left * scale), int(box.top * scale), int(box.right * scale), int(box.bottom * scale)


def _boxes_on(index: int, prompted: SliceBoxes | None, pictures: PicturePlane) -> tuple[PictureBox, ...]:
    if prompted is None:
        height, width = pictures.shape
        return (PictureBox(0, 0, height, width),)
    nearest = prompted.nearest(index)
    return () if nearest is None else prompted.boxes[nearest]


def _reading(prompted: SliceBoxes | None, indices: Sequence[int]) -> str:
    if prompted is None:
        return "+full-picture-box"
    used = {prompted.nearest(index) for index in indices}
    return "+box-around-point" if used & prompted.from_points else ""

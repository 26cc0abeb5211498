"""The one interface of all methods: a case's volumes and prompts in, a probability volume on the same grid out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from datasets.image.volume import Volume
from datasets.study.protocol import Modality
from training.prompts.prompt import Prompts


@dataclass(frozen=True, eq=False)
class SegmentationRequest:
    """A request to a segmenter.

    Args:
        volumes: The case's images, all on one grid, by kind (`datasets.study.image_kind`); for methods that take any
            image, and for slice propagation, by any name.
        target: Name of the one that annotators draw on, among `volumes`.
        prompts: Clicks, boxes and extreme points in millimetres; empty for an automatic method.
        slice_axis: The grid axis (0, 1, 2) that runs through the slices.
        slices: Indices along `slice_axis` to segment; None for all. The others stay at probability 0.
        cache_key: Key of the images, so that features computed once can be used again; empty for no cache.
        previous: Probability before these prompts, on the same grid, for methods that refine it.
        modality: Of the target: the window of grey of a CT is known, that of others is found in the image.
        wants_uncertainty: Whether automatic methods also say how sure they are, which costs them some time.
    """

    volumes: Mapping[str, Volume]
    target: str
    prompts: Prompts = field(default_factory=Prompts)
    slice_axis: int = 2
    slices: tuple[int, ...] | None = None
    cache_key: str = ""
    previous: Volume | None = None
    modality: Modality = Modality.MR
    wants_uncertainty: bool = False


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A segmenter's answer.

    Args:
        probability: float32 in 0..1 on the request's grid; above 0.5 is inside.
        model_version: Name and version of the model and, if it matters, how the prompt was read
            (e.g. ``lite-medsam-1+box-around-point``).
        score: The model's own estimate of its quality in 0..1, or None if it has none; of automatic methods 1 less the
            case's uncertainty (`training.segmenters.uncertainty`), where it was wanted.
        used: Details of the answer, as plain JSON values: region, resolution, seconds by part.
        uncertainty: float32 in 0..1 on the request's grid: entropy of the mean of the model's opinions, in bits; None
            where it was not wanted, or the method has none.
        seconds: How long it took, where it was drawn before and is only said again; else None.
    """

    probability: Volume
    model_version: str
    score: float | None = None
    used: Mapping[str, Any] = field(default_factory=dict)
    uncertainty: Volume | None = None
    seconds: float | None = None


class Segmenter(Protocol):
    """A loaded model that draws."""

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour; thread-safe.

        Raises:
            RejectedInput: The prompts or the images are not what this method needs.
        """
        ...

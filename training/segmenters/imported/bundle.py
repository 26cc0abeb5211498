"""A network of a MONAI Bundle made elsewhere: MONAI's own transforms and sliding window, by its plan. Imports torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai import transforms
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.networks import nets
from torch import Tensor, nn

from datasets.errors import RejectedInput
from datasets.image.volume import Volume
from training.model_package import ModelDescription, Tensors
from training.segmenters.imported.bundle_plan import TARGET, BundlePlan, not_allowed
from training.segmenters.postprocessing import cleaned
from training.segmenters.request_images import images_of
from training.segmenters.segmenter import Segmentation, SegmentationRequest
from training.segmenters.weights import best_device, with_weights

IMAGE = "image"

_MOST_WEIGHTS = 200_000_000


def bundle_network(plan: BundlePlan) -> nn.Module:
    """The network of a plan, with random weights.

    Raises:
        RejectedInput: MONAI does not make it from these arguments, or it is larger than any that is served.
    """
    arguments = {name: value for name, value in plan.network.items() if name != TARGET}
    made = getattr(nets, str(plan.network[TARGET]))
    try:
        with torch.device("meta"):  # its size is known before its memory is taken
            size = sum(each.numel() for each in made(**arguments).parameters())
        if size > _MOST_WEIGHTS:
            raise ValueError("size")
        network: nn.Module = made(**arguments)
    except Exception as error:  # MONAI's networks refuse arguments by whatever error
        raise RejectedInput(
            "bundle-network",
            f"MONAI's {plan.network[TARGET]} cannot be made from the bundle's arguments, or is too large.",
            remedy="Try the bundle with the version of MONAI that its metadata names.",
        ) from error
    return network


def bundle_steps(plan: BundlePlan) -> transforms.Compose:
    """The transforms of a plan.

    Raises:
        RejectedInput: MONAI does not take their arguments.
    """
    try:
        return transforms.Compose([_made(step) for step in plan.steps])
    except Exception as error:  # as above
        raise not_allowed("preprocessing", "an argument that MONAI refuses") from error


def _made(step: Any) -> Any:
    arguments = {name: value for name, value in step.items() if name != TARGET}
    if step[TARGET] == "CropForegroundd":
        arguments["source_key"] = IMAGE
    return getattr(transforms, step[TARGET])(keys=IMAGE, **arguments)


class ImportedBundleSegmenter:
    """Draws with the network of a bundle.

    Args:
        network: With its weights.
        plan: The package's plan.
        kinds: Of the images, in the order of the channels.
        title: Name and version.
    """

    def __init__(self, network: nn.Module, plan: BundlePlan, kinds: Sequence[str], *, title: str) -> None:
        self._network = network
        self._plan = plan
        self._kinds = kinds
        self._title = title
        self._device = next(network.parameters()).device

    @classmethod
    def from_package(cls, description: ModelDescription, tensors: Tensors) -> "ImportedBundleSegmenter":
        """The segmenter of a package, on the best device there is.

        Raises:
            RejectedInput: The parameters or tensors are not those of this method.
        """
        plan = BundlePlan.from_parameters(description.parameters)
        network = with_weights(bundle_network(plan), tensors, device=best_device())
        return cls(network, plan, description.kinds, title=description.title)

    @torch.inference_mode()
    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the label; thread-safe.

        Raises:
            RejectedInput: An image is missing.
            GeometryError: The images lie on different grids.
        """
        volumes = list(images_of(request, self._kinds).values())
        grid = volumes[0].grid
        stacked = np.stack([np.asarray(each.data, dtype=np.float32) for each in volumes])
        image = MetaTensor(torch.from_numpy(stacked), affine=torch.from_numpy(np.array(grid.affine)))
        steps = bundle_steps(self._plan)  # their state is of one call
        prepared = steps({IMAGE: image})[IMAGE]
        drawn = self._probability(prepared.as_tensor()[None].to(self._device))[0].cpu()
        answer = MetaTensor(drawn, meta=prepared.meta, applied_operations=prepared.applied_operations)
        back = steps.inverse({IMAGE: answer})[IMAGE].as_tensor()[0].numpy()
        probability = np.clip(np.ascontiguousarray(back, dtype=np.float32), 0.0, 1.0)
        return Segmentation(Volume(cleaned(probability, self._plan.cleaning), grid), self._title)

    def _probability(self, picture: Tensor) -> Tensor:
        """(1, 1, i, j, k) of the label, above one half where its channel is the largest."""
        if self._plan.window:
            logits = sliding_window_inference(picture, sw_batch_size=1, predictor=self._network, **self._plan.window)
        else:
            logits = self._network(picture)
        own = logits[:, self._plan.channel : self._plan.channel + 1]
        if self._plan.exclusive and logits.shape[1] > 1:
            others = [number for number in range(logits.shape[1]) if number != self._plan.channel]
            own = own - logits[:, others].amax(dim=1, keepdim=True)
        found: Tensor = own.sigmoid()
        return found

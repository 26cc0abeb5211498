"""The options of methods on slices, and MSTT-199's values for them."""

from collections.abc import Mapping
from typing import Any

from training.table.option import Option, Preset

EMPTY_SLICES = Option(
    "empty_slices",
    "share of slices without tumour; with 0 (MSTT-199) the network draws tumours on slices without one",
    default=0.25,
    most=0.95,
)

_WORDS = {
    "optimiser": ("makes the steps", {"adamw": "AdamW", "adam": "Adam", "sgd": "Nesterov's momentum (nnU-Net)"}),
    "schedule": (
        "how the learning rate changes",
        {"cosine": "rises, then falls to zero", "constant": "stays", "poly": "falls to zero (nnU-Net)"},
    ),
    "loss": (
        "what is made small",
        {"dice-bce": "Dice and cross-entropy", "bce": "cross-entropy", "dice-ce": "MONAI's DiceCELoss"},
    ),
    "variation": (
        "how slices are varied",
        {"own": "as for the other methods", "mstt-199": "as published", "none": "not at all"},
    ),
    "planes": ("planes whose slices are shown and drawn", {"drawn": "the one drawn on", "three": "all three"}),
    "copies": (
        "turned copies that are drawn and averaged",
        {"none": "no others", "mirrored": "mirrored ones", "all": "all eight"},
    ),
    "crop": ("what of a volume is looked at", {"body": "the box around the body", "none": "all of it"}),
}
_FIRST = {
    "optimiser": "adamw",
    "schedule": "cosine",
    "loss": "dice-bce",
    "variation": "own",
    "copies": "none",
    "crop": "body",
}

NETWORK = Option(
    "network",
    "the network",
    default="residual",
    words={"residual": "a small U-Net", "se-resnext50": "a U-Net with an SE-ResNeXt50 encoder (MSTT-199)"},
)

PICTURE_SIZE = Option(
    "picture_size",
    "side of the pictures that slices become, in pixels",
    default=128,
    is_whole=True,
    least=32,
    most=1024,
)

ENCODER_WEIGHTS = Option(
    "encoder_weights", "file of ImageNet weights of the SE-ResNeXt50 encoder, safetensors or as published", is_file=True
)

FIRST_LAYER = Option(
    "first_layer",
    "the first layer of those weights",
    default="adapted",
    words={"adapted": "their mean over the colours", "fresh": "thrown away (MSTT-199)"},
)

ENCODER = Option(
    "encoder",
    "the image encoder of LiteMedSAM",
    default="trained",
    words={"trained": "learns", "frozen": "stays, gradients flow through it"},
)

ADAPTER = Option(
    "adapter",
    "the layer before LiteMedSAM",
    default="learned",
    words={"learned": "learns, begins as the mean of the centre slices", "frozen": "stays random (MSTT-199)"},
)


MOST_SLICES = 4096
"""Of a batch: it is drawn once before a training begins, to see what memory it needs."""


def slice_options(
    *, batch: int, learning_rate: float, weight_decay: float, planes: str = "drawn"
) -> tuple[Option, ...]:
    """The options that all networks on slices share.

    Args:
        batch: Slices an iteration.
        learning_rate: Highest step size.
        weight_decay: Of the optimiser.
        planes: Planes whose slices are shown and drawn, unless another word is given.
    """
    first = {**_FIRST, "planes": planes}
    words = [Option(name, meaning, default=first[name], words=words) for name, (meaning, words) in _WORDS.items()]
    return (
        EMPTY_SLICES,
        Option("epochs", "passes over the slices with tumour, instead of iterations", is_whole=True, least=1),
        Option("batch", "slices an iteration", default=batch, is_whole=True, least=1, most=MOST_SLICES),
        Option("learning_rate", "highest step size", default=learning_rate, least=1e-8, most=0.5),
        Option("weight_decay", "decay of the weights", default=weight_decay, most=1.0),
        Option("averaging", "decay of the weights' moving mean, 0 for none", default=0.99, most=0.9999),
        *words,
    )


MSTT_199: Mapping[str, Any] = {
    "optimiser": "adam",
    "schedule": "constant",
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "batch": 16,
    "epochs": 5,
    "averaging": 0.0,
    "loss": "bce",
    "empty_slices": 0.0,
    "variation": "mstt-199",
    "planes": "three",
    "copies": "all",
    "crop": "none",
}
"""Hyperparameters, augmentations and inference of the published U-Net (Reasat et al.)."""


def mstt_199(meaning: str, **others: Any) -> Preset:
    """MSTT-199's preset, with values of a method's other options."""
    return Preset(meaning, {**MSTT_199, **others})

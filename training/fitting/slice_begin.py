"""The weights that a network on slices begins with: random, or published ones of its encoder. Imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from torch import Tensor, nn

from datasets.errors import RejectedInput
from training.networks.medsam_automatic import MedSamAutomatic
from training.networks.se_resnext_unet import SeResNextUNet, put_encoder
from training.networks.slice_networks import SliceNetwork, slice_network
from training.pretrained.lite_medsam import WEIGHTS_SHA256, published_tensors
from training.pretrained.se_resnext import read_encoder
from training.segmenters.slices.slice_plan import SlicePlan


class FirstLayer(StrEnum):
    """What becomes of a published first layer, which is made for pictures in colour."""

    ADAPTED = "adapted"
    """Its mean over the colours is each channel's."""

    FRESH = "fresh"
    """It is thrown away; the layer begins at random (MSTT-199)."""


class Encoder(StrEnum):
    """Whether LiteMedSAM's image encoder learns."""

    TRAINED = "trained"
    FROZEN = "frozen"
    """Its weights stay; gradients flow through it to the adapter."""


class Adapter(StrEnum):
    """Whether LiteMedSAM's adapter learns."""

    LEARNED = "learned"
    """It begins as the mean of the centre slices."""

    FROZEN = "frozen"
    """It stays random (MSTT-199's code, whose adapter gets no gradient)."""


@dataclass(frozen=True)
class Begin:
    """How a network begins.

    Args:
        first_layer: What becomes of a published first layer.
        encoder: Whether LiteMedSAM's image encoder learns.
        adapter: Whether LiteMedSAM's adapter learns.
        weights_sha256: Of the published weights; empty where all are random.
    """

    first_layer: FirstLayer = FirstLayer.ADAPTED
    encoder: Encoder = Encoder.TRAINED
    adapter: Adapter = Adapter.LEARNED
    weights_sha256: str = ""


@dataclass(frozen=True, eq=False)
class FirstWeights:
    """Published weights.

    Args:
        sha256: Of their file; empty for none.
        tensors: By their names.
    """

    sha256: str = ""
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def read(cls, network: SliceNetwork, file: Path | None) -> "FirstWeights":
        """The weights of a network: LiteMedSAM's are installed, an SE-ResNeXt50's are the user's.

        Raises:
            RejectedInput: They are missing or damaged, or the network takes none.
        """
        if network is SliceNetwork.LITE_MEDSAM:
            return cls(WEIGHTS_SHA256, published_tensors())
        if file is None:
            return cls()
        if network is not SliceNetwork.SE_RESNEXT50:
            raise RejectedInput(
                "encoder-weights",
                f"The network {network.value} takes no weights of an encoder.",
                remedy=f"Leave them out, or train {SliceNetwork.SE_RESNEXT50.value}.",
            )
        return cls(*read_encoder(file))


def begun_network(plan: SlicePlan, begin: Begin, weights: FirstWeights, *, images: int) -> nn.Module:
    """A network as its training begins.

    Raises:
        RejectedInput: The weights are another network's.
    """
    if plan.architecture is SliceNetwork.LITE_MEDSAM:
        found = MedSamAutomatic(
            images,
            trains_encoder=begin.encoder is Encoder.TRAINED,
            trains_adapter=begin.adapter is Adapter.LEARNED,
        )
        found.medsam.load_state_dict(dict(weights.tensors), strict=True)
        return found
    network = slice_network(plan.architecture, images=images, widths=plan.widths)
    if isinstance(network, SeResNextUNet) and weights.tensors:
        put_encoder(network, weights.tensors, first_layer=begin.first_layer is FirstLayer.ADAPTED)
    return network

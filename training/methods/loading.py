"""Loads the segmenter that a model package asks for. Imports torch only when it loads one."""

from pathlib import Path
from typing import assert_never

from training.model_package import Method, read_package
from training.segmenters.boxes.embedding_cache import EmbeddingStore
from training.segmenters.segmenter import Segmenter


def load_segmenter(folder: Path, *, expected_digest: str, embeddings: EmbeddingStore | None = None) -> Segmenter:
    """Loads the segmenter of a model package.

    Args:
        folder: The model package.
        expected_digest: The digest it was registered with.
        embeddings: Persistent store of this model's embeddings, for methods that embed slices.

    Raises:
        RejectedInput: The package is not the expected one, is damaged, or does not fit its method's network.
    """
    description, tensors = read_package(folder, expected_digest=expected_digest)
    match description.method:
        case Method.LITE_MEDSAM:
            from training.segmenters.boxes.lite_medsam import LiteMedSamSegmenter

            return LiteMedSamSegmenter.from_package(description, tensors, embeddings)
        case Method.MEDSAM_VIT:
            from training.segmenters.boxes.medsam_vit import MedSamVitSegmenter

            return MedSamVitSegmenter.from_package(description, tensors, embeddings)
        case Method.UNET_25D:
            from training.segmenters.unet25d import UNet25dSegmenter

            return UNet25dSegmenter.from_package(description, tensors)
        case Method.SIX_POINTS:
            from training.segmenters.six_points import SixPointsSegmenter

            return SixPointsSegmenter.from_package(description, tensors)
        case Method.CLICKS_2D:
            from training.segmenters.clicks.clicks_2d import Clicks2dSegmenter

            return Clicks2dSegmenter.from_package(description, tensors)
        case Method.CLICKS_3D | Method.DEEPEDIT | Method.TWO_STAGE:
            from training.segmenters.clicks.clicks_3d import Clicks3dSegmenter

            return Clicks3dSegmenter.from_package(description, tensors)
        case _ as never:
            assert_never(never)

"""Loads the segmenter that a model package asks for. Imports torch only when it loads one."""

from pathlib import Path

from training.model_package import read_package
from training.segmenters.boxes.embedding_cache import EmbeddingStore
from training.segmenters.segmenter import Segmenter
from training.table.method import function_called


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
    made_from = (description, tensors, embeddings) if description.method.embeds else (description, tensors)
    segmenter: Segmenter = function_called(description.method.load)(*made_from)
    return segmenter

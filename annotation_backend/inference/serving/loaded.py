"""The cache of this process: volumes of cases and loaded models, in one memory bounded in bytes.

`training.memory.process_memory` keeps them, beside the embeddings and canvases of the models themselves.
"""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import case_volumes
from annotation_backend.inference.serving.embedding_folder import EmbeddingFolder, embeddings_folder
from annotation_backend.registry.models import Model
from datasets.study.case import CaseVolumes
from training.memory import process_memory
from training.model_package import WEIGHTS_NAME

if TYPE_CHECKING:
    from training.segmenters.segmenter import Segmenter

logger = logging.getLogger(__name__)

LEAST_OF_WEIGHTS = 3
"""A model counts as at least this many times its weights: the file as read, torch's copy, OpenVINO's copy."""


def loaded_volumes(case: Case) -> CaseVolumes:
    """The case's volumes from the cache, keyed by its images, so that a new one is never missed.

    Raises:
        RejectedInput: The case is not registered, or its files were changed since.
    """
    if not case.is_registered:
        return case_volumes(case)  # raises
    key = ("volumes", case.images_sha256)
    return process_memory().get(key, lambda: case_volumes(case), size=_bytes_of_volumes)


def segmenter_of(model: Model) -> "Segmenter":
    """A model from the cache, keyed by its digest; loaded and warmed up once, however many threads ask for it.

    Raises:
        RejectedInput: Its package is damaged, or does not fit its method.
    """
    before = resident_bytes()
    least = LEAST_OF_WEIGHTS * _size_of(model.path / WEIGHTS_NAME)
    return process_memory().get(
        _key(model), lambda: load_model(model), size=lambda _: max(least, resident_bytes() - before)
    )


def is_loaded(model: Model) -> bool:
    """Whether the model is in the cache, so that it answers at once."""
    return _key(model) in process_memory()


def _key(model: Model) -> tuple[str, str]:
    return ("model", model.digest)


def load_model(model: Model) -> "Segmenter":
    """Reads a model's package and warms it up, whether it is in the cache or not.

    Raises:
        RejectedInput: The package is damaged, or does not fit its method.
    """
    from training.methods.loading import load_segmenter
    from training.methods.warming import warm
    from training.model_package import read_description

    store = EmbeddingFolder(embeddings_folder(), model.digest)
    segmenter = load_segmenter(model.path, expected_digest=model.digest, embeddings=store)
    warm(segmenter, read_description(model.path))
    logger.info("%s is loaded and warm", model)
    return segmenter


def _bytes_of_volumes(volumes: CaseVolumes) -> int:
    return sum(int(volume.data.nbytes) for volume in volumes.images.values())


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def resident_bytes() -> int:
    """Resident memory of this process in bytes; 0 if the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0

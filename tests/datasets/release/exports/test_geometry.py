"""SimpleITK, MONAI and TorchIO see every image and mask of every export where it lies in the patient."""

import json
from pathlib import Path

import numpy as np
import pytest

from datasets.release.exports.options import Missing
from datasets.release.exports.source import ReleaseSource
from tests.datasets.release.exports.conftest import Export
from tests.datasets.release.exports.phantoms import (
    EMPTY,
    GRIDS,
    PLANES,
    WITHOUT_CT,
    require_in_place,
    require_labels_in_place,
)
from tests.datasets.release.exports.readers import READERS

WITHOUT_IMAGE = {"missing": Missing.LEAVE_IMAGE_OUT}
FILLED = sorted({*GRIDS} - {EMPTY})


@pytest.fixture(params=READERS)
def read(request: pytest.FixtureRequest):
    return READERS[request.param]


def test_the_release_itself(source: ReleaseSource, read) -> None:
    for case in source.cases:
        for role, path in case.images.items():
            require_in_place(*read(source.folder / path), role)
        if not case.is_empty:
            require_labels_in_place(*read(source.folder / case.mask), case.code)


def test_nnunet(export: Export, read) -> None:
    folder = export("nnunet", **WITHOUT_IMAGE) / "raw" / "Dataset001_AsymmetricPhantoms"
    for code in FILLED:
        for number, role in enumerate(("t1", "t2")):
            data, affine = read(folder / "imagesTr" / f"{code}_{number:04d}.nii.gz")
            require_in_place(data, affine, role)
            assert (np.abs(affine[:3, :3]).argmax(axis=0) == (0, 1, 2)).all()
            assert (np.diag(affine)[:3] > 0).all() or read.__name__ == "by_simpleitk"  # ITK's own axes are LPS
        require_labels_in_place(*read(folder / "labelsTr" / f"{code}.nii.gz"), code, values={1: 1, 3: 2})


def test_decathlon(export: Export, read) -> None:
    folder = export("decathlon", missing=Missing.LEAVE_CASE_OUT) / "Task01_AsymmetricPhantoms"
    for code in sorted({*FILLED} - {WITHOUT_CT}):
        data, affine = read(folder / "imagesTr" / f"{code}.nii.gz")
        assert data.shape[0] == 3
        for channel, role in zip(data, ("t1", "t2", "ct"), strict=True):
            require_in_place(channel, affine, role)
        require_labels_in_place(*read(folder / "labelsTr" / f"{code}.nii.gz"), code)


def test_monai_datalist(export: Export, source: ReleaseSource, read) -> None:
    entries = json.loads((export("monai", **WITHOUT_IMAGE) / "datalist.json").read_text())["training"]
    assert [entry["case"] for entry in entries] == sorted(GRIDS)
    for entry in entries:
        for path, role in zip(entry["image"], ("t1", "t2"), strict=True):
            require_in_place(*read(source.folder / path), role)
        if entry["case"] != EMPTY:
            require_labels_in_place(*read(source.folder / entry["label"]), entry["case"])


def test_derived_dicom_series(export: Export, read) -> None:
    folder = export("dicom-seg")
    for code in sorted(GRIDS):
        role = "t1" if code == EMPTY else "t2"
        largest = max(abs(value) for value in (PLANES[role][0] * 2,))
        require_in_place(*read(folder / code / "image"), role, off_by=largest / 30000)


def test_the_paths_of_the_readers_are_those_of_the_release(source: ReleaseSource) -> None:
    assert all((source.folder / Path(path)).exists() for case in source.cases for path in case.images.values())

"""T1 and T2 of different places, and one series under two names, make no pair."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from curation.pairing.body_places import other_region, regions_of
from curation.pairing.masks import load_images
from curation.pairing.pairing import pair_series
from curation.scanning.scan import scan_folder
from datasets.dicom.evidence import SeriesEvidence
from datasets.errors import RejectedInput
from datasets.formats.nifti import write_volume
from datasets.image.volume import Grid, Volume
from tests.curation.support.protocols import MSTT
from tests.curation.support.small_studies import GRID, T1, T2, codes, edit, pairing_of, write


def _write_pair(folder: Path, t1: dict[str, str], t2: dict[str, str]) -> None:
    for protocol, fields in ((T1, t1), (T2, t2)):

        def change(dataset: Dataset, fields: dict[str, str] = fields) -> None:
            for name, value in fields.items():
                setattr(dataset, name, value)

        edit(write(folder, protocol), change)


@pytest.mark.parametrize("frame", ["1.2.3", ""])
@pytest.mark.parametrize(
    ("t1", "t2"),
    [
        ({"BodyPartExamined": "THIGH"}, {"BodyPartExamined": "CALF"}),
        ({"BodyPartExamined": "KNEE"}, {"BodyPartExamined": "SHOULDER"}),
        ({"Laterality": "L"}, {"Laterality": "R"}),
        ({"ImageLaterality": "L"}, {"Laterality": "R"}),
    ],
)
def test_two_places_are_asked_about(tmp_path: Path, t1: dict[str, str], t2: dict[str, str], frame: str) -> None:
    _write_pair(tmp_path, t1, {**t2, "FrameOfReferenceUID": frame})
    pairing = pairing_of(tmp_path)
    assert (pairing.pairs, codes(pairing)) == ((), ["different-places"])
    assert pairing.patients[0].is_question


@pytest.mark.parametrize(
    ("t1", "t2"),
    [
        ({"BodyPartExamined": "THIGH"}, {"BodyPartExamined": "LEG"}),
        ({"BodyPartExamined": "EXTREMITY"}, {"BodyPartExamined": "KNEE"}),
        ({"Laterality": "L"}, {"Laterality": "B"}),
        ({}, {"Laterality": "R"}),
    ],
)
def test_places_that_agree_are_paired_with_a_warning_of_two_frames(
    tmp_path: Path, t1: dict[str, str], t2: dict[str, str]
) -> None:
    _write_pair(tmp_path, t1, {**t2, "FrameOfReferenceUID": "1.2.3"})
    (pair,) = pairing_of(tmp_path).pairs
    assert [finding.code for finding in pair.findings] == ["different-frames"]


def test_one_frame_of_reference_tells_better_than_the_body_part(tmp_path: Path) -> None:
    _write_pair(tmp_path, {"BodyPartExamined": "THIGH"}, {"BodyPartExamined": "KNEE"})
    assert len(pairing_of(tmp_path).pairs) == 1


@pytest.mark.parametrize(("shift_mm", "expected"), [(0.0, []), (400.0, ["no-overlap"])])
def test_without_a_frame_of_reference_positions_tell(tmp_path: Path, shift_mm: float, expected: list[str]) -> None:
    affine = GRID.affine.copy()
    affine[2, 3] += shift_mm
    for protocol, grid in ((T1, GRID), (T2, Grid(GRID.shape, affine))):
        edit(write(tmp_path, protocol, grid=grid), lambda dataset: setattr(dataset, "FrameOfReferenceUID", ""))
    assert codes(pairing_of(tmp_path)) == expected


def test_regions() -> None:
    assert regions_of("Upper Leg") == {"thigh"} == regions_of("FEMUR")
    assert regions_of("EXTREMITY") == regions_of("") == frozenset()
    assert not other_region(SeriesEvidence(body_part="HIP"), SeriesEvidence(body_part="PELVIS"))


def test_one_file_under_two_names_is_no_case(tmp_path: Path) -> None:
    data = np.random.default_rng(0).random(GRID.shape).astype(np.float32)
    (tmp_path / "case").mkdir()
    write_volume(tmp_path / "case" / "t1.nii.gz", Volume(data, GRID))
    shutil.copy(tmp_path / "case" / "t1.nii.gz", tmp_path / "case" / "t2_fs.nii.gz")
    pairing = pairing_of(tmp_path)
    assert pairing.pairs == ()
    assert "series-identical" in codes(pairing)


def test_the_same_voxels_in_two_files_are_no_case(tmp_path: Path) -> None:
    data = np.random.default_rng(0).random(GRID.shape).astype(np.float32)
    (tmp_path / "case").mkdir()
    write_volume(tmp_path / "case" / "t1.nii.gz", Volume(data, GRID))
    uncompressed = gzip.decompress((tmp_path / "case" / "t1.nii.gz").read_bytes())
    (tmp_path / "case" / "t2_fs.nii").write_bytes(uncompressed)
    (pair,) = pair_series(scan_folder(tmp_path, protocol=MSTT), protocol=MSTT).pairs
    with pytest.raises(RejectedInput, match="same voxels") as caught:
        load_images(pair)
    assert caught.value.code == "series-identical"

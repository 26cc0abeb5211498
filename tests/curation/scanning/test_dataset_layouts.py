"""nnU-Net's raw datasets and the Decathlon's: channels get the roles that their names say, labels their images."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from curation.scanning.channel_roles import roles_of_channels
from curation.scanning.found_series import FolderScan, FoundSeries
from curation.scanning.scan import scan_folder
from datasets.finding import Level
from datasets.study.protocol import Protocol, Wanted
from datasets.study.shipped_protocols import shipped_protocol
from tests.curation.support.small_volumes import GRID, grey, put_image, put_mask

PET_CT, LIPOMA, MSTT = shipped_protocol("pet-ct"), shipped_protocol("lipoma"), shipped_protocol("mstt-199")
LABELS = {"background": 0, "tumour": 1, "oedema": 2}


def _describe(folder: Path, **fields: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps({"labels": LABELS, "file_ending": ".nii.gz"} | fields))
    return folder


def _raw(folder: Path, channels: Sequence[str], *, cases: Sequence[str] = ("case_001", "case_002")) -> Path:
    """An nnU-Net dataset: voxels of each file by the number of its case and channel."""
    _describe(folder, channel_names={str(number): name for number, name in enumerate(channels)})
    for number, case in enumerate(cases):
        for channel in range(len(channels)):
            put_image(folder / "imagesTr" / f"{case}_{channel:04d}.nii.gz", 10 * number + channel)
        put_mask(folder / "labelsTr" / f"{case}.nii.gz", 1, 2)
    return folder


def _decathlon(folder: Path, channels: Sequence[str], *, cases: Sequence[str] = ("BRATS_001", "BRATS_002")) -> Path:
    _describe(
        folder,
        modality={str(number): name for number, name in enumerate(channels)},
        labels={"0": "background", "1": "edema", "2": "tumour"},
        training=[{"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"} for case in cases],
        test=["./imagesTs/BRATS_900.nii.gz"],
    )
    for number, case in enumerate([*cases, "BRATS_900"]):
        data = np.stack([grey(10 * number + channel) for channel in range(len(channels))], axis=-1)
        path = folder / ("imagesTs" if case == "BRATS_900" else "imagesTr") / f"{case}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        image = nib.Nifti1Image(data[..., 0] if len(channels) == 1 else data, GRID.affine)
        image.header.set_xyzt_units("mm")
        nib.save(image, path)
    for case in cases:
        put_mask(folder / "labelsTr" / f"{case}.nii.gz", 1, 2)
    return folder


def _roles(scan: FolderScan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for series in scan.series:
        found.setdefault(series.patient_key, []).append(str(series.named_role))
    return found


def _codes(scan: FolderScan) -> list[str]:
    return [finding.code for finding in scan.findings if finding.level is not Level.INFO]


def _series(scan: FolderScan, patient: str, role: str) -> FoundSeries:
    (series,) = [one for one in scan.series if (one.patient_key, one.named_role) == (patient, role)]
    return series


def test_a_raw_datasets_channels_have_the_roles_that_their_names_say(tmp_path: Path) -> None:
    scan = scan_folder(_raw(tmp_path, ["CT", "PET"]), protocol=PET_CT)
    assert _roles(scan) == {"case_001": ["ct", "pet"], "case_002": ["ct", "pet"]}
    assert np.array_equal(_series(scan, "case_002", "pet").read().data, grey(11))
    assert [series.evidence.modality for series in scan.series] == ["CT", "PT"] * 2
    assert _codes(scan) == []


def test_a_raw_datasets_labels_are_masks_of_their_case(tmp_path: Path) -> None:
    scan = scan_folder(_raw(tmp_path, ["CT", "PET"]), protocol=PET_CT)
    assert [(mask.patient_key, dict(mask.labels)) for mask in scan.masks] == [
        ("case_001", {1: "Tumour", 2: "Oedema"}),
        ("case_002", {1: "Tumour", 2: "Oedema"}),
    ]


def test_a_decathlons_channels_are_images_of_one_case_each(tmp_path: Path) -> None:
    scan = scan_folder(_decathlon(tmp_path, ["T1w", "t1gd", "T2w"]), protocol=LIPOMA)
    roles = ["t1", "t1_contrast", "t2"]
    assert _roles(scan) == {"BRATS_001": roles, "BRATS_002": roles, "BRATS_900": roles}
    for channel, role in enumerate(roles):
        series = _series(scan, "BRATS_002", role)
        assert np.array_equal(series.read().data, grey(10 + channel))
        assert series.grid.matches(GRID)
    assert len({series.reference for series in scan.series}) == len(scan.series)
    assert len({series.source_sha256 for series in scan.series}) == len(scan.series)
    assert [(mask.patient_key, dict(mask.labels)) for mask in scan.masks] == [
        ("BRATS_001", {1: "Oedema", 2: "Tumour"}),
        ("BRATS_002", {1: "Oedema", 2: "Tumour"}),
    ]
    assert _codes(scan) == []


def test_a_decathlon_of_one_channel_is_a_plain_file(tmp_path: Path) -> None:
    scan = scan_folder(_decathlon(tmp_path, ["CT"]), protocol=shipped_protocol("ct"))
    assert _roles(scan) == {"BRATS_001": ["ct"], "BRATS_002": ["ct"], "BRATS_900": ["ct"]}
    assert scan.series[0].channel is None


def test_several_datasets_keep_their_cases_apart(tmp_path: Path) -> None:
    _raw(tmp_path / "Dataset001_A", ["CT", "PET"], cases=["case_001"])
    _raw(tmp_path / "Dataset002_B", ["PET", "CT"], cases=["case_001"])
    scan = scan_folder(tmp_path, protocol=PET_CT)
    assert _roles(scan) == {"Dataset001_A/case_001": ["ct", "pet"], "Dataset002_B/case_001": ["pet", "ct"]}
    assert len(scan.masks) == 2


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    _raw(tmp_path, ["CT", "PET"], cases=["case_001"])
    (tmp_path / "imagesTr" / "._case_001_0000.nii.gz").write_bytes(b"\0\5\x16\7Mac OS X")
    (tmp_path / "._dataset.json").write_bytes(b"\0\5\x16\7Mac OS X")
    scan = scan_folder(tmp_path, protocol=PET_CT)
    assert _roles(scan) == {"case_001": ["ct", "pet"]}
    assert _codes(scan) == []


def test_a_missing_channel_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    _raw(tmp_path, ["CT", "PET"])
    (tmp_path / "imagesTr" / "case_002_0001.nii.gz").unlink()
    scan = scan_folder(tmp_path, protocol=PET_CT)
    assert _roles(scan) == {"case_001": ["ct", "pet"], "case_002": ["ct"]}
    (finding,) = [one for one in scan.findings if one.code == "dataset-channel-missing"]
    assert "channel(s) 1" in finding.message
    assert finding.subject == "file 4"


def test_a_label_without_an_image_is_named_and_left_out(tmp_path: Path) -> None:
    _raw(tmp_path, ["CT", "PET"])
    put_mask(tmp_path / "labelsTr" / "case_003.nii.gz", 1)
    scan = scan_folder(tmp_path, protocol=PET_CT)
    assert len(scan.masks) == 2
    assert _codes(scan) == ["dataset-label-without-image"]


def test_a_channel_that_no_role_answers_is_named_by_its_number(tmp_path: Path) -> None:
    scan = scan_folder(_raw(tmp_path, ["CT", "Nightingale"]), protocol=PET_CT)
    assert _roles(scan) == {"case_001": ["ct"], "case_002": ["ct"]}
    (finding,) = [one for one in scan.findings if one.code == "dataset-channel-without-role"]
    assert "Channel(s) 1" in finding.message
    assert "ct, pet" in finding.message
    assert "aliases" in finding.remedy
    assert "Nightingale" not in str(finding)


def test_a_dataset_of_which_no_channel_has_a_role_is_left_out_and_said_once(tmp_path: Path) -> None:
    scan = scan_folder(_raw(tmp_path, ["noNorm"]), protocol=PET_CT)
    assert (scan.series, scan.masks) == ((), ())
    assert _codes(scan) == ["dataset-channel-without-role"]


def test_what_the_decathlon_lists_and_is_not_there_is_said(tmp_path: Path) -> None:
    _decathlon(tmp_path, ["CT"])
    (tmp_path / "imagesTr" / "BRATS_002.nii.gz").unlink()
    (tmp_path / "labelsTr" / "BRATS_001.nii.gz").unlink()
    scan = scan_folder(tmp_path, protocol=shipped_protocol("ct"))
    assert _roles(scan) == {"BRATS_001": ["ct"], "BRATS_900": ["ct"]}
    assert set(_codes(scan)) == {"dataset-file-absent", "dataset-label-absent", "dataset-label-without-image"}


def test_fewer_channels_in_a_file_than_listed_are_refused(tmp_path: Path) -> None:
    _decathlon(tmp_path, ["T1w"], cases=["BRATS_001"])
    document = json.loads((tmp_path / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps(document | {"modality": {"0": "T1w", "1": "T2w"}}))
    assert "nifti-channel" in _codes(scan_folder(tmp_path, protocol=LIPOMA))


def test_the_table_beside_a_dataset_goes_before_its_list(tmp_path: Path) -> None:
    _raw(tmp_path, ["CT", "PET"], cases=["case_001"])
    (tmp_path / "cases.csv").write_text("patient_id,tissue_type\ncase_001,fat\n")
    scan = scan_folder(tmp_path, protocol=PET_CT)
    assert [str(description.tissue_type) for description in scan.descriptions.values()] == ["fat"]


@pytest.mark.parametrize("listed", ["../outside.nii.gz", "/etc/passwd", "C:\\scans\\a.nii.gz", 7, None])
def test_a_list_that_leads_outside_of_the_folder_is_not_followed(tmp_path: Path, listed: object) -> None:
    _raw(tmp_path / "in", ["CT", "PET"], cases=["case_001"])
    document = json.loads((tmp_path / "in" / "dataset.json").read_text())
    (tmp_path / "in" / "dataset.json").write_text(
        json.dumps(document | {"training": [{"image": listed, "label": listed}]})
    )
    put_image(tmp_path / "outside.nii.gz", 5)
    assert _roles(scan_folder(tmp_path / "in", protocol=PET_CT)) == {"case_001": ["ct", "pet"]}


@pytest.mark.parametrize("content", ["[]", "{", '{"channel_names": {"1": "CT"}}', '{"modality": 3}', "[" * 5000])
def test_any_other_document_lays_out_nothing(tmp_path: Path, content: str) -> None:
    _raw(tmp_path, ["CT", "PET"], cases=["case_001"])
    (tmp_path / "dataset.json").write_text(content)
    scan = scan_folder(tmp_path, protocol=PET_CT)
    assert [series.named_role for series in scan.series] == [None, None]


@pytest.mark.parametrize(
    ("protocol", "channels", "roles"),
    [
        (PET_CT, ["CT", "PET"], ("ct", "pet")),
        (PET_CT, ["SUV", "ct scan"], ("pet", "ct")),
        (PET_CT, ["PT", "CECT"], ("pet", "ct")),
        (PET_CT, ["CT", "CT"], (None, None)),
        (PET_CT, ["noNorm", "T1"], (None, None)),
        (MSTT, ["T1", "T2"], ("t1", "t2")),
        (MSTT, ["STIR", "T1-weighted"], ("t2", "t1")),
        (MSTT, ["MRI"], (None,)),
        (shipped_protocol("t1"), ["MRI"], ("t1",)),
        (LIPOMA, ["T1w", "T1 with contrast", "T2w", "fat-suppressed T2"], ("t1", "t1_contrast", "t2", "t2_fs")),
        (LIPOMA, ["t1gd", "FLAIR"], ("t1_contrast", None)),
    ],
)
def test_channels_answer_to_names_titles_aliases_and_lone_modalities(
    protocol: Protocol, channels: list[str], roles: tuple[str | None, ...]
) -> None:
    assert roles_of_channels(channels, protocol) == roles


def test_a_channel_without_contrast_agent_is_no_image_that_needs_one() -> None:
    """The channels of the Decathlon's first task, where the protocol wants the T1 after contrast alone."""
    images = [image for image in LIPOMA.images if image.name in ("t1_contrast", "t2")]
    protocol = replace(LIPOMA, images=tuple(images))
    assert roles_of_channels(["FLAIR", "T1w", "t1gd", "T2w"], protocol) == (None, None, "t1_contrast", "t2")
    assert roles_of_channels(["T1", "t2flair", "MRI"], protocol) == (None, None, None)
    enhanced = replace(PET_CT.image("ct"), contrast=Wanted.REQUIRE, name="venous", aliases=())
    assert roles_of_channels(["NCCT", "CECT"], replace(PET_CT, images=(enhanced,))) == (None, "venous")

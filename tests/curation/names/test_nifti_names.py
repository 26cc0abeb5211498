"""The rule for NIfTI names, by example."""

from pathlib import PurePath

import pytest

from curation.names.nifti_names import read_name
from curation.names.role_names import RoleNames
from datasets.study.shipped_protocols import shipped_protocol

T1, T2 = "t1", "t2"
MSTT = RoleNames(shipped_protocol("mstt-199"))


@pytest.mark.parametrize(
    ("path", "patient", "role", "is_mask"),
    [
        ("STS_001/MR_T1_image.nii.gz", "STS_001", T1, False),
        ("STS_001/MR_T1_mask.nii.gz", "STS_001", T1, True),
        ("STS_001/t2.nii", "STS_001", T2, False),
        ("STS_001/mask.nii.gz", "STS_001", None, True),
        ("case7_t1.nii.gz", "case7", T1, False),
        ("case7_t2_fs.nii.gz", "case7", T2, False),
        ("Case7-STIR.nii.gz", "case7", T2, False),
        ("case7_T2w_seg-manual.nii.gz", "case7", T2, True),
        ("images/case7_t1.nii.gz", "case7", T1, False),
        ("labelsTr/case7_t2.nii.gz", "case7", T2, True),
        ("case7/t1/image.nii.gz", "case7", T1, False),
        ("case7/t1/t1w.nii.gz", "case7", T1, False),
        ("case7/images/t2_tse_tra_fs.nii.gz", "case7", T2, False),
        ("site/case7/visit2_t1.nii.gz", "site/case7/visit2", T1, False),
        ("t1w.nii.gz", "", T1, False),
        ("case7_t1_t2.nii.gz", "case7", None, False),
        ("case7/T1.nrrd", "case7", T1, False),
        ("case7_t2.mha", "case7", T2, False),
        ("case7/Segmentation t2.seg.nrrd", "case7", T2, True),
        ("case7/CT_image.nii.gz", "case7", None, False),
    ],
)
def test_names(path: str, patient: str, role: str | None, is_mask: bool) -> None:
    name = read_name(PurePath(path), MSTT)
    assert (name.patient_key, name.role, name.is_mask) == (patient, role, is_mask)


@pytest.mark.parametrize(
    ("path", "region"),
    [
        ("a/t1_mask.nii.gz", "Tumour"),
        ("a/t1_gtv.nii.gz", "GTV"),
        ("a/t1_gtv_mass_mask.nii.gz", "gtv_mass"),
        ("a/t2_edema_seg.nii.gz", "edema"),
    ],
)
def test_regions(path: str, region: str) -> None:
    assert read_name(PurePath(path), MSTT).region == region


def test_another_modality_is_told() -> None:
    names = [read_name(PurePath(f"a/{word}_mask.nii.gz"), MSTT) for word in ("CT", "PET", "T1")]
    assert [name.modality for name in names] == ["CT", "PT", ""]

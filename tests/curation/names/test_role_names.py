"""Names of volume files by the images of a protocol: aliases, common words, BIDS; patients are the same for all."""

from pathlib import PurePath

import pytest

from curation.names.nifti_names import read_name
from curation.names.role_names import RoleNames
from datasets.study.protocol_document import read_protocol
from datasets.study.shipped_protocols import shipped_protocol, shipped_text

BRAIN_TEXT = """
name = "brain"
version = 1
title = "Brain"
drawn = "t1ce"
tissue_types = []

[[images]]
name = "t1ce"
title = "T1 after contrast"
modality = "MR"
weighting = "T1"
contrast = "require"
plane = "any"
aliases = ["t1c", "t1gd"]

[[images]]
name = "t2"
title = "T2"
modality = "MR"
weighting = "T2"
fat_suppression = "refuse"
plane = "any"

[[images]]
name = "flair"
title = "FLAIR"
modality = "MR"
weighting = "FLAIR"
plane = "any"
required = false
aliases = ["t2f"]

[[labels]]
value = 1
name = "Tumour"
colour = "#e8590c"
prompted = true
imported_names = ["tumour"]
"""

BRAIN, CT, LIPOMA, MSTT, PET_CT, T1 = (
    RoleNames(protocol)
    for protocol in (
        read_protocol(BRAIN_TEXT),
        *map(shipped_protocol, ("ct", "lipoma", "mstt-199", "pet-ct", "t1")),
    )
)


@pytest.mark.parametrize(
    ("roles", "path", "role", "other"),
    [
        (T1, "STS_001/MR_T1_image.nii.gz", "t1", ""),
        (T1, "STS_001/CT_image.nii.gz", None, "CT"),
        (T1, "STS_001/PET_mask.nii.gz", None, "PT"),
        (T1, "a/t2.nii.gz", None, "T2"),
        (CT, "STS_001/CT_image.nii.gz", "ct", ""),
        (CT, "STS_001/MR_T1_mask.nii.gz", None, "T1"),
        (CT, "sub-01/ct/sub-01_ct.nii.gz", "ct", ""),
        (PET_CT, "STS_001/PET_image.nii.gz", "pet", ""),
        (PET_CT, "imagesTr/CHUM-001__PT.nii.gz", "pet", ""),
        (PET_CT, "imagesTr/CHUM-001__CT.nii.gz", "ct", ""),
        (PET_CT, "PT_001/PT_001_CT.nii.gz", "ct", ""),
        (PET_CT, "a/suv.nrrd", "pet", ""),
        (PET_CT, "a/ct_pet.nrrd", None, ""),
        (PET_CT, "sub-01/pet/sub-01_trc-FDG_pet.nii.gz", "pet", ""),
        (LIPOMA, "a/t1.nii.gz", "t1", ""),
        (LIPOMA, "a/t1_contrast.nii.gz", "t1_contrast", ""),
        (LIPOMA, "a/t1ce.nii.gz", "t1_contrast", ""),
        (LIPOMA, "a/t1w_post_gd.nii.gz", "t1_contrast", ""),
        (LIPOMA, "a/t2.nii.gz", "t2", ""),
        (LIPOMA, "a/t2_fs.nii.gz", "t2_fs", ""),
        (LIPOMA, "a/t2w_fatsat.nii.gz", "t2_fs", ""),
        (LIPOMA, "a/stir.nii.gz", "t2_fs", ""),
        (LIPOMA, "sub-01/anat/sub-01_ce-gd_T1w.nii.gz", "t1_contrast", ""),
        (LIPOMA, "sub-01/anat/sub-01_acq-fatsat_T2w.nii.gz", "t2_fs", ""),
        (LIPOMA, "sub-01/anat/sub-01_T2w.nii.gz", "t2", ""),
        (BRAIN, "BraTS-001/BraTS-001-t1c.nii.gz", "t1ce", ""),
        (BRAIN, "BraTS-001/BraTS-001-t1n.nii.gz", None, ""),
        (BRAIN, "BraTS-001/BraTS-001-t2f.nii.gz", "flair", ""),
        (BRAIN, "BraTS-001/BraTS-001-t2w.nii.gz", "t2", ""),
        (BRAIN, "a/t2_flair.nii.gz", "flair", ""),
        (BRAIN, "sub-01/anat/sub-01_FLAIR.nii.gz", "flair", ""),
        (MSTT, "a/t2_flair.nii.gz", "t2", ""),
        (MSTT, "a/t1_t2.nii.gz", None, ""),
    ],
)
def test_images(roles: RoleNames, path: str, role: str | None, other: str) -> None:
    name = read_name(PurePath(path), roles)
    assert (name.role, name.other_image) == (role, other)


@pytest.mark.parametrize(
    ("roles", "paths"),
    [
        (BRAIN, ("P1/flair.nii.gz", "P1/t2.nii.gz", "P1/t1ce_mask.nii.gz")),
        (BRAIN, ("P1/FLAIR/image.nii.gz", "P1/T2/image.nii.gz")),
        (LIPOMA, ("P1_t1_contrast.nii.gz", "P1_t1.nii.gz", "P1_t2_fs.nii.gz")),
        (PET_CT, ("imagesTr/P1__PT.nii.gz", "imagesTr/P1__CT.nii.gz", "labelsTr/P1.nii.gz")),
        (PET_CT, ("PT_001_CT.nii.gz", "PT_001_PT.nii.gz")),
    ],
)
def test_words_of_the_images_are_no_patients(roles: RoleNames, paths: tuple[str, ...]) -> None:
    assert len({read_name(PurePath(path), roles).patient_key for path in paths}) == 1


def test_a_protocols_own_label_names_a_masks_region() -> None:
    text = (
        shipped_text("t1") + '\n[[labels]]\nvalue = 3\nname = "Cyst"\ncolour = "#123456"\nimported_names = ["cyst"]\n'
    )
    name = read_name(PurePath("P1/t1_cyst_mask.nii.gz"), RoleNames(read_protocol(text)))
    assert (name.region, name.patient_key, name.owner_words) == ("cyst", "P1/cyst", ())

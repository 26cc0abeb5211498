"""Images of any protocol: required ones that fit together, optional ones beside them, masks of every label."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curation.pairing.other_protocols import fits_nobody
from curation.pairing.pairing import Pairing, load_images, pair_series
from curation.scanning.scan import scan_folder
from datasets.files import sha256_of_bytes
from datasets.finding import Level
from datasets.formats.nifti import write_volume
from datasets.image.volume import Grid, Volume
from datasets.study.protocol import Protocol
from datasets.study.protocol_document import read_protocol
from datasets.study.shipped_protocols import shipped_protocol, shipped_text
from tests.curation.names.test_role_names import BRAIN_TEXT
from tests.curation.support.small_studies import T1, T2, references, write
from tests.curation.support.small_volumes import GRID, grey, put_image, put_mask

LIPOMA, PET_CT, T1_ALONE = (shipped_protocol(name) for name in ("lipoma", "pet-ct", "t1"))
BRAIN = read_protocol(BRAIN_TEXT)
CYST = '\n[[labels]]\nvalue = 3\nname = "Cyst"\ncolour = "#123456"\nimported_names = ["cyst"]\nimported_values = [3]\n'
TUMOUR = 'imported_names = ["gtv_mass"'
WITH_CYST = read_protocol(shipped_text("t1").replace(TUMOUR, f"imported_values = [1]\n{TUMOUR}") + CYST)


def images_of(folder: Path, protocol: Protocol, **choices: str) -> Pairing:
    chosen = {"CANARY-1": choices} if choices else None
    return pair_series(scan_folder(folder, protocol=protocol), protocol=protocol, choices=chosen)


def put(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        put_image(folder / f"{name}.nii", seed)


def test_optional_images_that_are_missing_are_noted_and_no_refusal(tmp_path: Path) -> None:
    put(tmp_path / "P1", "t1")
    pairing = images_of(tmp_path, LIPOMA)
    (images,) = pairing.pairs
    assert (list(images.chosen), pairing.findings) == (["t1"], ())
    missing = {(finding.level, finding.code) for finding in images.findings}
    assert missing == {(Level.INFO, f"no-{role}") for role in ("t1_contrast", "t2", "t2_fs")}
    assert all("goes on without it" in finding.message for finding in images.findings)


def test_every_image_takes_its_own_file_and_counts_in_the_source(tmp_path: Path) -> None:
    put(tmp_path / "P1", "t1", "t1_contrast", "t2", "t2_fs")
    (images,) = images_of(tmp_path, LIPOMA).pairs
    assert list(images.chosen) == ["t1", "t1_contrast", "t2", "t2_fs"]
    assert len({choice.series.reference for choice in images.choices}) == 4
    digests = {role: choice.source_sha256 for role, choice in images.chosen.items()}
    lines = [digests["t1"], *(f"{role} {digests[role]}" for role in ("t1_contrast", "t2", "t2_fs"))]
    assert images.source_sha256 == sha256_of_bytes("\n".join(lines).encode())


def test_an_optional_image_of_which_there_are_two_is_left_out_until_a_person_chooses(tmp_path: Path) -> None:
    plain = replace(T2, description="AX T2", scan_options="")
    write(tmp_path, T1)
    write(tmp_path, plain)
    write(tmp_path, replace(plain, description="AX T2 again"))
    write(tmp_path, T2)
    pairing = images_of(tmp_path, LIPOMA)
    (images,) = pairing.pairs
    assert list(images.chosen) == ["t1", "t2_fs"]
    asked = next(finding for finding in images.findings if finding.code == "ambiguous-t2")
    assert asked.level is Level.WARNING
    assert asked.message.startswith("The T2 is left out, and the case goes on without it.")
    assert not pairing.patients[0].is_question
    again = references(tmp_path)["AX T2 again"]
    (chosen,) = images_of(tmp_path, LIPOMA, t2=again).pairs
    assert (list(chosen.chosen), chosen.chosen["t2"].series.reference) == (["t1", "t2", "t2_fs"], again)
    assert chosen.source_sha256 != images.source_sha256


def test_an_optional_image_that_a_person_chose_and_is_not_there_stops_the_case(tmp_path: Path) -> None:
    write(tmp_path, T1)
    pairing = images_of(tmp_path, LIPOMA, t2="0123456789")
    assert (pairing.pairs, [finding.code for finding in pairing.findings]) == ((), ["choice-absent"])


def test_an_optional_copy_of_another_image_is_left_out(tmp_path: Path) -> None:
    put_image(tmp_path / "P1" / "t1.nii", 0)
    put_image(tmp_path / "P1" / "t2.nii", 0)
    (images,) = images_of(tmp_path, LIPOMA).pairs
    assert list(images.chosen) == ["t1"]
    assert "series-identical" in [finding.code for finding in images.findings]


def test_an_optional_image_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "P1", "t1")
    write_volume(tmp_path / "P1" / "t2.nii.gz", Volume(np.full(GRID.shape, 7, np.float32), GRID))
    (images,) = images_of(tmp_path, LIPOMA).pairs
    loaded = load_images(images)
    assert list(loaded.volumes) == ["t1"]
    assert any("is optional" in finding.message for finding in loaded.findings)


def test_a_t1_after_contrast_agent_is_no_t1_and_the_other_way_round(tmp_path: Path) -> None:
    put(tmp_path / "P1", "t1ce", "t2w", "flair")
    put(tmp_path / "P2", "t1", "t2w")
    pairing = images_of(tmp_path, BRAIN)
    (images,) = pairing.pairs
    assert (images.patient_key, list(images.chosen)) == ("P1", ["t1ce", "t2", "flair"])
    assert [finding.code for finding in pairing.findings] == ["t1ce-not-contrast-enhanced"]
    assert pairing.summary_of("P2").is_question
    (before,) = images_of(tmp_path, T1_ALONE).pairs
    assert before.patient_key == "P2"


def test_pet_that_lies_elsewhere_than_its_ct_is_asked_about(tmp_path: Path) -> None:
    put(tmp_path / "P1", "CT_image", "PET_image")
    assert [list(images.chosen) for images in images_of(tmp_path, PET_CT).pairs] == [["ct", "pet"]]
    elsewhere = Grid(GRID.shape, np.array([[-1, 0, 0, 500], [0, -1, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1.0]]))
    (tmp_path / "P1" / "PET_image.nii").unlink()
    write_volume(tmp_path / "P1" / "PET_image.nii.gz", Volume(grey(1), elsewhere))
    pairing = images_of(tmp_path, PET_CT)
    assert (pairing.pairs, [finding.code for finding in pairing.findings]) == ((), ["no-common-frame"])
    assert pairing.patients[0].is_question
    scan = scan_folder(tmp_path, protocol=PET_CT)
    pet = next(found.reference for found in scan.series if found.named_role == "pet")
    assert len(pair_series(scan, protocol=PET_CT, choices={"P1": {"pet": pet}}).pairs) == 1


def test_masks_go_to_the_image_that_they_name(tmp_path: Path) -> None:
    put(tmp_path / "P1", "CT_image", "PET_image")
    put_mask(tmp_path / "P1" / "CT_mask.nii", 1)
    put_mask(tmp_path / "P1" / "PET_mask.nii", 1)
    put_mask(tmp_path / "P1" / "MR_T1_mask.nii", 1)
    (images,) = images_of(tmp_path, PET_CT).pairs
    assert sorted(str(role) for role, _ in images.masks) == ["ct", "pet"]
    assert [finding.code for finding in images.findings] == ["mask-of-other-series"]
    loaded = load_images(images)
    assert {role: list(regions) for role, regions in loaded.masks.items()} == {"ct": ["Tumour"], "pet": ["Tumour"]}


def test_a_mask_that_names_no_image_goes_to_the_drawn_one(tmp_path: Path) -> None:
    put(tmp_path / "P1", "CT_image", "PET_image")
    put_mask(tmp_path / "P1" / "mask.nii", 1)
    (images,) = images_of(tmp_path, PET_CT).pairs
    loaded = load_images(images)
    assert {role: len(regions) for role, regions in loaded.masks.items()} == {"ct": 1, "pet": 0}


def test_values_are_the_protocols_labels_and_unknown_ones_are_asked(tmp_path: Path) -> None:
    put(tmp_path / "P1", "t1")
    put_mask(tmp_path / "P1" / "t1_mask.nii", 1, 3)
    (images,) = images_of(tmp_path, WITH_CYST).pairs
    assert sorted(load_images(images).masks["t1"]) == ["Cyst", "Tumour"]
    put(tmp_path / "P2", "t1")
    put_mask(tmp_path / "P2" / "t1_mask.nii", 1, 9)
    scan = scan_folder(tmp_path, protocol=WITH_CYST)
    assert [finding.code for finding in scan.findings] == ["mask-values-unclear"]
    said = scan_folder(tmp_path, protocol=WITH_CYST, label_values={1: "Tumour", 9: "cyst", 3: "cyst"})
    assert said.findings == ()
    assert [dict(mask.labels)[9] for mask in said.masks] == ["Cyst", "Cyst"]


def test_the_table_has_a_column_for_every_image(tmp_path: Path) -> None:
    put(tmp_path, "a", "b")
    put_mask(tmp_path / "c.nii", 1)
    (tmp_path / "cases.csv").write_text("patient_id,ct,pet,mask_pet\nP7,a.nii,b.nii,c.nii\n")
    pairing = images_of(tmp_path, PET_CT)
    (images,) = pairing.pairs
    assert (images.patient_key, list(images.chosen)) == ("P7", ["ct", "pet"])
    assert all(choice.is_by_person for choice in images.choices)
    assert [role for role, _ in images.masks] == ["pet"]


@pytest.mark.parametrize(
    ("names", "protocol", "fitting"),
    [
        (
            ("MR_T1_image", "CT_image"),
            PET_CT,
            ", ".join(f"{name} (1 of 1 patients)" for name in ("ct", "lipoma", "lipoma-ladder", "t1")),
        ),
        (("PET_image",), T1_ALONE, ""),
    ],
)
def test_a_folder_for_another_protocol_says_which(
    tmp_path: Path, names: tuple[str, ...], protocol: Protocol, fitting: str
) -> None:
    put(tmp_path / "P1", *names)
    scan = scan_folder(tmp_path, protocol=protocol)
    (finding,) = fits_nobody(scan, protocol, pair_series(scan, protocol=protocol))
    assert finding.code == "protocol-fits-nobody"
    assert finding.message.endswith(f"were found: {fitting}." if fitting else f"requires: {protocol.images[0].title}.")


def test_a_folder_that_fits_somebody_says_nothing(tmp_path: Path) -> None:
    put(tmp_path / "P1", "t1")
    put(tmp_path / "P2", "t2")
    scan = scan_folder(tmp_path, protocol=T1_ALONE)
    assert fits_nobody(scan, T1_ALONE, pair_series(scan, protocol=T1_ALONE)) == []


def test_a_series_that_a_stricter_image_requires_is_left_to_it(tmp_path: Path) -> None:
    """The first T2 of this protocol may be with fat suppression or without; the second must be with it."""
    text = shipped_text("lipoma").replace('weighting = "T2"\nfat_suppression = "refuse"', 'weighting = "T2"', 1)
    write(tmp_path, T1)
    write(tmp_path, T2)
    protocol = read_protocol(text)
    (one,) = images_of(tmp_path, protocol).pairs
    assert list(one.chosen) == ["t1", "t2_fs"]
    write(tmp_path, replace(T2, description="AX T2", scan_options=""))
    (both,) = images_of(tmp_path, protocol).pairs
    described = {role: choice.series.evidence.series_description for role, choice in both.chosen.items()}
    assert described == {"t1": "AX T1", "t2": "AX T2", "t2_fs": "AX T2 FS"}


def test_one_series_is_never_two_required_images(tmp_path: Path) -> None:
    text = shipped_text("lipoma").replace("required = false\n", "").replace('fat_suppression = "refuse"', "")
    required = read_protocol(text.replace('contrast = "require"', 'contrast = "allow"'))
    write(tmp_path, T1)
    write(tmp_path, T2)
    pairing = images_of(tmp_path, required)
    assert (pairing.pairs, [finding.code for finding in pairing.findings]) == ((), ["ambiguous-series"])

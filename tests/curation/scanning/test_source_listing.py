"""What a dataset's images and labels are in a study: by kinds and names, by a person, or a question; nothing silent."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from curation.scanning.scan import scan_folder
from curation.scanning.source_labels import labels_of_source
from curation.scanning.source_listing import SaidByPerson, listing_of
from curation.scanning.source_roles import roles_of_source
from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.public.dataset import FoundBy, Publication, SourceCase, SourceDataset, SourceImage, SourceMask
from datasets.public.recognise import recognised
from datasets.study.protocol import Label
from datasets.study.shipped_protocols import shipped_protocol
from tests.datasets.public import trees

MSTT, PET_CT, LIPOMA = shipped_protocol("mstt-199"), shipped_protocol("pet-ct"), shipped_protocol("lipoma")
ORGANS = replace(MSTT, labels=(Label(1, "Liver", "#111111"), Label(2, "Spleen", "#222222", is_prompted=True)))


def dataset_of(
    *labels: Mapping[int, str],
    images: tuple[SourceImage, ...] = (SourceImage("T1", "a", "t1"),),
    regions: tuple[str, ...] = (),
) -> SourceDataset:
    masks = [SourceMask(f"m{number}", labels=each) for number, each in enumerate(labels)]
    masks += [SourceMask("s", regions=regions)] if regions else []
    found_by = FoundBy.HEADER if regions else FoundBy.LIST
    return SourceDataset(Publication("phantoms"), (SourceCase("P", "P", images, tuple(masks)),), found_by=found_by)


def meant(dataset: SourceDataset, said: Mapping[str, str] | None = None, protocol=MSTT) -> list[dict[int, str]]:
    found = labels_of_source(dataset, protocol, said)
    return [dict(meaning.labels) for meaning in found.meanings.values()]


def refused(dataset: SourceDataset, said: Mapping[str, str] | None = None, protocol=MSTT) -> RejectedInput:
    with pytest.raises(RejectedInput) as error:
        labels_of_source(dataset, protocol, said)
    assert error.value.remedy
    return error.value


@pytest.mark.parametrize(
    ("labels", "said", "found"),
    [
        ({1: "tumour", 2: "edema"}, {}, {1: "Tumour", 2: "Oedema"}),
        ({1: "GTV_Mass", 255: "GTV_Mass"}, {}, {1: "Tumour", 255: "Tumour"}),
        ({1: "GTV_Mass", 2: "GTV_Edema"}, {}, {1: "Tumour", 2: "Oedema"}),
        ({1: "foreground"}, {}, {1: "Tumour"}),
        ({1: ""}, {}, {1: "Tumour"}),
        ({1: "pancreas", 2: "cancer"}, {"cancer": "tumour", "pancreas": ""}, {2: "Tumour"}),
        ({1: "pancreas", 2: "cancer"}, {"2": "Tumour", "*": ""}, {2: "Tumour"}),
        ({1: "pancreas", 2: "cancer"}, {"PANCREAS": "Oedema", "cancer": "Tumour"}, {1: "Oedema", 2: "Tumour"}),
        ({1: "necrotic tumor", 2: "enhancing tumor"}, {"1": "Tumour", "2": "Tumour"}, {1: "Tumour", 2: "Tumour"}),
        ({1: "tumour"}, {"7": "Oedema"}, {1: "Tumour", 7: "Oedema"}),
        ({}, {"1": "Tumour"}, {1: "Tumour"}),
    ],
)
def test_labels_mean_what_they_are_called_or_what_a_person_says(
    labels: dict[int, str], said: dict[str, str], found: dict[int, str]
) -> None:
    assert meant(dataset_of(labels), said) == [found]


@pytest.mark.parametrize(
    ("labels", "said", "code", "words"),
    [
        ({1: "pancreas", 2: "tumour"}, {}, "source-label-unknown", "value 1"),
        ({1: "", 2: "tumour"}, {}, "source-label-unknown", "value 1"),
        ({2: "label 2"}, {}, "source-label-unknown", "value 2"),
        ({}, {}, "source-label-unknown", "the values of 1 label map(s)"),
        ({1: "tumour_no_oedema"}, {}, "source-label-unknown", "value 1"),
        ({1: "necrotic tumor", 2: "enhancing tumor"}, {}, "source-labels-one", "tumour"),
        ({1: "necrosis", 2: "tumor"}, {"necrosis": "Tumour"}, "source-labels-one", "tumour"),
        ({1: "tumour"}, {"tumour": "Bone"}, "label-unknown", "none of the study's"),
        ({1: "tumour"}, {"*": "Tumour"}, "label-unknown", "only be left out"),
        ({1: "tumour"}, {"Nightingale": "Tumour"}, "source-label-absent", "none of the dataset's"),
    ],
)
def test_a_label_that_means_none_of_ours_is_a_question(
    labels: dict[int, str], said: dict[str, str], code: str, words: str
) -> None:
    error = refused(dataset_of(labels), said)
    assert error.code == code
    assert words in error.message
    assert not any(name in str(error) for name in ("pancreas", "Nightingale", "necrotic"))


def test_names_of_a_layouts_own_are_shown() -> None:
    with pytest.raises(RejectedInput) as error:
        labels_of_source(dataset_of({6: "liver"}), MSTT, are_names_shown=True)
    assert "liver" in error.value.message
    assert "--label '*='" in error.value.remedy


def test_organs_of_a_protocol_are_found_by_their_names() -> None:
    assert meant(dataset_of({6: "liver", 1: "spleen"}), protocol=ORGANS) == [{1: "Spleen", 6: "Liver"}]


def test_regions_of_structure_sets_are_asked_about_by_number_only() -> None:
    dataset = dataset_of(regions=("GTV_Mass", "Nightingale"))
    error = refused(dataset)
    assert "1 region(s) of structure sets" in error.message
    assert "GTV_Edema, 1 region(s)" in refused(dataset_of(regions=("GTV_Edema", "Meier")), protocol=PET_CT).message
    assert "Nightingale" not in str(error)
    said = {"nightingale": "Oedema"}
    assert dict(labels_of_source(dataset, MSTT, said).renamed) == {"nightingale": "Oedema"}
    assert dict(labels_of_source(dataset, MSTT, {"*": ""}).renamed) == {"nightingale": ""}


@pytest.mark.parametrize(
    ("images", "protocol", "said", "found"),
    [
        ([("T1", "t1"), ("T2-FS", "t2-fs"), ("CT", "ct")], MSTT, {}, ["t1", "t2", None]),
        ([("CT", "ct"), ("PET", "pet")], PET_CT, {}, ["ct", "pet"]),
        ([("T1", "t1"), ("T2", "t2"), ("T2-FS", "t2-fs")], LIPOMA, {}, ["t1", "t2", "t2_fs"]),
        ([("T1", "t1")], PET_CT, {}, [None]),
        ([("noNorm", "")], PET_CT, {"noNorm": "ct"}, ["ct"]),
        ([("CT", ""), ("second", "")], PET_CT, {"1": "pet"}, ["ct", "pet"]),
        ([("CT", ""), ("second", "")], PET_CT, {"0": "pet", "1": "ct"}, ["pet", "ct"]),
        ([("CT", ""), ("second", "")], PET_CT, {"1": "ct"}, [None, "ct"]),
        ([("CT", ""), ("PET", "")], PET_CT, {"PET": ""}, ["ct", None]),
    ],
)
def test_images_have_the_roles_of_their_kinds_names_or_a_person(
    images: list[tuple[str, str]], protocol, said: dict[str, str], found: list[str | None]
) -> None:
    dataset = dataset_of(images=tuple(SourceImage(name, name, kind) for name, kind in images))
    roles = roles_of_source(dataset, protocol, said)
    assert [roles.by_name[name] for name, _ in images] == found


@pytest.mark.parametrize(
    ("said", "code"),
    [({"MR": "ct"}, "source-image-unknown"), ({"CT": "mr"}, "role-unknown"), ({"9": "ct"}, "source-image-unknown")],
)
def test_a_person_names_an_image_and_a_role_that_are_there(said: dict[str, str], code: str) -> None:
    with pytest.raises(RejectedInput) as error:
        roles_of_source(dataset_of(images=(SourceImage("CT", "a"),)), PET_CT, said)
    assert error.value.code == code


def listed(folder: Path, protocol, **said: Mapping[str, str]):
    found = recognised(FileTree.of(folder))
    return listing_of(found.dataset, found.tree, protocol, said=SaidByPerson(**said))


def test_a_dataset_without_any_of_the_studys_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput) as error:
        listed(trees.write_hecktor(tmp_path), MSTT)
    assert error.value.code == "source-images-unfit"
    assert "--image" in error.value.remedy


def test_images_of_files_that_name_themselves_are_not_to_be_said(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput) as error:
        listed(trees.write_bids(tmp_path), MSTT, images={"T1w": "t1"})
    assert error.value.code == "source-images-said"


def test_patients_alike_but_for_capitals_are_left_out(tmp_path: Path) -> None:
    trees.write_nnunet(tmp_path)
    for path in sorted(tmp_path.rglob("case_003*")):
        path.rename(path.with_name(path.name.replace("case_003", "CASE_001")))
    listing = listed(tmp_path, MSTT)
    assert "source-patients-alike" in [finding.code for finding in listing.laid_out.findings]
    scan = scan_folder(tmp_path, protocol=MSTT, listed=listing.laid_out)
    assert {series.patient_key for series in scan.series} == {"case_002"}


def test_odd_names_in_a_folder_are_patients_like_any_other_and_never_shown(tmp_path: Path) -> None:
    """Names that an archive may not have (bad input 48), as a folder of this system may have them."""
    trees.write_nnunet(tmp_path)
    odd = ["a\nb", "gz.iin\u202e", "CON", "M\u00fcller", "Mu\u0308ller", "b" * 200]
    for name in odd:
        for path in sorted(tmp_path.rglob("case_001*")):
            shutil.copy(path, path.with_name(path.name.replace("case_001", name)))
    listing = listed(tmp_path, MSTT)
    scan = scan_folder(tmp_path, protocol=MSTT, listed=listing.laid_out)
    assert {series.patient_key for series in scan.series} == {"case_001", "case_002", "case_003", *odd} - set(odd[3:5])
    assert [finding.code for finding in scan.findings] == ["source-patients-alike"]
    assert not any(name in f"{scan}{listing.laid_out}" for name in odd)


def test_only_listed_files_are_looked_at(tmp_path: Path) -> None:
    trees.write_hecktor(tmp_path)
    trees.put(tmp_path / "Meier" / "ct.nii.gz", trees.grey(1), trees.OBLIQUE)
    (tmp_path / "notes.doc.bin").write_bytes(b"text")
    listing = listed(tmp_path, PET_CT)
    scan = scan_folder(tmp_path, protocol=PET_CT, listed=listing.laid_out)
    assert len(scan.series) == 8
    assert [finding.code for finding in scan.findings] == ["source-patient-without-images"]
    assert {series.evidence.manufacturer for series in scan.series} == {"GE", "Philips", "Siemens"}


def test_two_cases_of_a_patient_are_two_visits(tmp_path: Path) -> None:
    for number in (0, 1):
        trees.put(tmp_path / "GIST-018" / f"image_lesion_{number}.nii.gz", trees.grey(number), trees.FLIPPED)
        trees.put(tmp_path / "GIST-018" / f"segmentation_lesion_{number}.nii.gz", trees.labelled(1), trees.FLIPPED)
    ct = shipped_protocol("ct")
    scan = scan_folder(tmp_path, protocol=ct, listed=listed(tmp_path, ct).laid_out)
    assert len({series.patient_key for series in scan.series}) == 1
    assert len({series.study_key for series in scan.series}) == 2
    assert [dict(mask.made_by) for mask in scan.masks] == [dict(series.made_by) for series in scan.series]


def test_words_that_the_study_does_not_know_are_counted(tmp_path: Path) -> None:
    listing = listed(trees.write_sts(tmp_path), replace(MSTT, tissue_types=("fat",)))
    said = {finding.code: finding.message for finding in listing.laid_out.findings if "word" in finding.code}
    assert "1 case(s)" in said["source-word-unknown"]
    assert "myxoid" not in said["source-word-unknown"]

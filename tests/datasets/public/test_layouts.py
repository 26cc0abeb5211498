"""Each layout is recognised by its true tree, gives the cases in it, and says what another tree lacks."""

import shutil
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.public.dataset import FoundBy, SourceDataset
from datasets.public.recognise import LAYOUTS, layout_called, recognised
from tests.data import STS_DICOM, STS_NIFTI, require
from tests.datasets.public import trees

Write = Callable[[Path], Path]
TREES: dict[str, Write] = {
    "sts": trees.write_sts,
    "worc": trees.write_worc,
    "hecktor": trees.write_hecktor,
    "decathlon": trees.write_decathlon,
    "nnunet": trees.write_nnunet,
    "nnunet of version 1": partial(trees.write_nnunet, version=1),
    "bcv": trees.write_bcv,
    "bids": trees.write_bids,
    "mstt-199": trees.write_mstt_199,
}


def read(folder: Path, name: str = "") -> SourceDataset:
    return recognised(FileTree.of(folder), layout_called(name) if name else None).dataset


def codes(dataset: SourceDataset) -> list[str]:
    return [finding.code for finding in dataset.findings]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp("tree") / "in") for name, write in TREES.items()}


@pytest.mark.parametrize("name", TREES)
def test_a_layout_is_recognised_by_its_tree(written: dict[str, Path], tmp_path: Path, name: str) -> None:
    found = recognised(FileTree.of(written[name]))
    assert found.layout.name == name.split()[0]
    assert found.dataset == recognised(FileTree.of(written[name]), found.layout).dataset
    inner = tmp_path / "download" / "unpacked" / "set"
    shutil.copytree(written[name], inner)
    (tmp_path / "download" / "LICENSE").write_text("as on the page")
    (tmp_path / "download" / "__MACOSX").mkdir()
    (tmp_path / "download" / "__MACOSX" / "x.txt").write_text("")
    below = recognised(FileTree.of(tmp_path / "download"))
    assert below.layout == found.layout
    assert len(below.dataset.cases) == len(found.dataset.cases) > 1


@pytest.mark.parametrize("name", TREES)
def test_a_dataset_says_whose_it_is_and_is_never_changed(written: dict[str, Path], name: str) -> None:
    dataset = read(written[name])
    assert dataset.publication.title
    if not name.startswith("nnunet"):  # its list has no field for it
        assert dataset.publication.licence
        assert dataset.publication.citation
    with pytest.raises(FrozenInstanceError):
        dataset.cases = ()  # type: ignore[misc]
    assert all((written[name] / image.path).exists() or name == "mstt-199" for image in dataset.images)
    shown = repr(dataset)
    assert not any(secret in shown for secret in ("STS_001", "Lipo-001", "CHGJ007", "tumour_001", "sub-01", "L44"))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("name", TREES)
def test_a_layout_says_what_another_tree_lacks(written: dict[str, Path], name: str, layout) -> None:
    if layout.name == name.split()[0]:
        return
    with pytest.raises(RejectedInput) as refused:
        recognised(FileTree.of(written[name]), layout)
    assert refused.value.code == "layout-other-tree"
    assert "Missing: " in refused.value.message
    assert layout.needs in refused.value.remedy
    assert str(written[name]) not in str(refused.value)


def test_an_unknown_tree_is_told_all_layouts(tmp_path: Path) -> None:
    trees.put(tmp_path / "Meier" / "t1.nii.gz", trees.grey(1), trees.OBLIQUE)
    (tmp_path / "set.zip").write_bytes(b"PK")
    with pytest.raises(RejectedInput) as refused:
        recognised(FileTree.of(tmp_path))
    assert refused.value.code == "layout-none"
    assert all(layout.needs in refused.value.remedy for layout in LAYOUTS)
    assert "1 archive(s) in it were not unpacked" in refused.value.message
    assert "Meier" not in str(refused.value)


def test_a_tree_of_two_layouts_is_a_question(tmp_path: Path) -> None:
    trees.write_decathlon(trees.write_bcv(tmp_path))
    with pytest.raises(RejectedInput) as refused:
        recognised(FileTree.of(tmp_path))
    assert refused.value.code == "layout-ambiguous"
    assert "decathlon, bcv" in refused.value.message
    assert len(read(tmp_path, "bcv").cases) == 4


def test_a_layout_of_no_name_is_refused() -> None:
    with pytest.raises(RejectedInput) as refused:
        layout_called("ours")
    assert refused.value.code == "layout-unknown"
    assert "decathlon" in refused.value.remedy


def test_a_folder_of_several_nnunet_datasets_is_told_to_give_one(tmp_path: Path) -> None:
    for name in ("Dataset001_A", "Dataset002_B"):
        trees.write_nnunet(tmp_path / name)
    with pytest.raises(RejectedInput) as refused:
        recognised(FileTree.of(tmp_path), layout_called("nnunet"))
    assert "give one of them" in refused.value.message
    assert read(tmp_path / "Dataset001_A").cases[0].patient == "Dataset001_A/case_001"


def test_sts_in_nifti_has_its_tissues_sites_and_masks_beside_each_image(written: dict[str, Path]) -> None:
    dataset = read(written["sts"])
    assert [(case.patient, case.tissue_type, case.anatomical_site) for case in dataset.cases] == [
        ("STS_001", "", "left thigh"),
        ("STS_002", "fat", "right parascapusular"),
        ("STS_003", "myxoid", "right buttock"),
    ]
    assert [image.kind for image in dataset.cases[0].images] == ["t1", "ct", "pet"]
    assert [mask.image for mask in dataset.cases[0].masks] == ["T1", "CT", "PET"]
    assert dataset.publication.licence == "CC BY 3.0"


def test_sts_whose_table_is_a_spreadsheet_says_so(tmp_path: Path) -> None:
    trees.write_sts(tmp_path)
    (tmp_path / "INFOclinical_STS.csv").rename(tmp_path / "INFOclinical_STS.xlsx")
    dataset = read(tmp_path)
    assert codes(dataset) == ["source-spreadsheet"]
    assert {case.tissue_type for case in dataset.cases} == {""}


def test_sts_in_two_formats_is_a_question(tmp_path: Path) -> None:
    require(STS_DICOM)
    trees.write_sts(tmp_path)
    shutil.copytree(STS_DICOM / "STS_001" / "MR_T1" / "mask", tmp_path / "dicom" / "STS_001" / "mask")
    with pytest.raises(RejectedInput) as refused:
        read(tmp_path, "sts")
    assert "as DICOM and as NIfTI" in refused.value.message


def test_real_sts_as_dicom() -> None:
    dataset = read(require(STS_DICOM))
    assert dataset.found_by is FoundBy.HEADER
    kinds = {case.patient: sorted(image.kind for image in case.images) for case in dataset.cases}
    assert kinds == {
        "STS_001": ["t1", "t2-fs"],
        "STS_002": ["ct", "pet", "t1"],
        "STS_003": ["ct", "pet", "t1"],
    }
    regions = {case.patient: {name for mask in case.masks for name in mask.regions} for case in dataset.cases}
    assert regions["STS_001"] == {"GTV_Mass", "GTV_Edema"}
    assert len([mask for case in dataset.cases for mask in case.masks]) == 8


def test_real_sts_as_nifti() -> None:
    dataset = read(require(STS_NIFTI))
    assert len(dataset.cases) == 34
    assert sum(image.kind == "t1" for image in dataset.images) == 34
    assert codes(dataset) == ["source-mask-without-image"] * 2  # STS_007 and STS_011 lack their CT


def test_worc_takes_both_lesions_and_reads_its_table(written: dict[str, Path]) -> None:
    cases = {case.case: case for case in read(written["worc"]).cases}
    assert {name: case.tissue_type for name, case in cases.items()} == {
        "Lipo-001": "fat", "Lipo-073": "fat", "Desmoid-001": "fibrous", "Desmoid-002": "",
    }  # fmt: skip
    assert len(cases["Lipo-073"].masks) == 2
    assert {case.patient for case in cases.values()} == {f"WORC/{name}" for name in cases}


def test_worc_keeps_two_images_of_a_patient_apart(tmp_path: Path) -> None:
    for number in (0, 1):
        trees.put(tmp_path / "GIST-018" / f"image_lesion_{number}.nii.gz", trees.grey(number), trees.FLIPPED)
        trees.put(tmp_path / "GIST-018" / f"segmentation_lesion_{number}.nii.gz", trees.labelled(1), trees.FLIPPED)
    cases = read(tmp_path).cases
    assert [(case.patient, case.case, case.images[0].kind) for case in cases] == [
        ("WORC/GIST-018", "GIST-018/lesion0", "ct"),
        ("WORC/GIST-018", "GIST-018/lesion1", "ct"),
    ]
    assert [mask.path[-8:-7] for case in cases for mask in case.masks] == ["0", "1"]


def test_hecktor_knows_its_scanners_and_misses_what_is_not_there(written: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(written["hecktor"])
    assert {case.case: case.vendor for case in dataset.cases} == {
        "CHGJ007": "GE", "CHUS010": "Philips", "CHUM003": "GE", "CHUP025": "Siemens",
    }  # fmt: skip
    assert [len(case.masks) for case in dataset.cases] == [0, 1, 1, 1]
    assert codes(dataset) == ["source-patient-without-images"]
    shutil.copytree(written["hecktor"], tmp_path / "in")
    inside = tmp_path / "in" / "hecktor2021_train" / "hecktor_nii"
    (inside / "CHGJ007_ct.nii.gz").unlink()
    (inside / "CHUS010_pt.nii.gz").unlink()
    shutil.copy(inside / "CHUM003_ct.nii.gz", inside.parent / "CHUM003_ct.nii.gz")  # a copy somebody made
    dataset = read(tmp_path / "in")
    assert sorted(codes(dataset)) == [
        "source-image-missing", "source-image-missing", "source-mask-without-image", "source-patient-without-images",
    ]  # fmt: skip
    assert [image.path for image in dataset.images if "CHUM003_ct" in image.path] == [
        "hecktor2021_train/hecktor_nii/CHUM003_ct.nii.gz"
    ]


def test_two_files_of_one_name_are_neither_taken(tmp_path: Path) -> None:
    trees.write_bcv(tmp_path)
    shutil.copytree(tmp_path / "RawData" / "Training" / "img", tmp_path / "copy" / "img")
    dataset = read(tmp_path)
    assert codes(dataset) == ["source-file-twice"] * 3
    assert [case.case for case in dataset.cases] == ["0061"]


def test_bids_reads_labels_from_names_tables_and_sidecars(written: dict[str, Path], tmp_path: Path) -> None:
    dataset = read(written["bids"])
    assert dataset.found_by is FoundBy.NAME
    assert [dict(mask.labels) for mask in dataset.masks] == [
        {1: "lesion", 255: "lesion"}, {1: "lesion", 255: "lesion"}, {1: "tumour", 2: "oedema"},
    ]  # fmt: skip
    assert (dataset.publication.licence, dataset.publication.citation) == ("CC0", "Cite nobody.")
    trees.put_json(tmp_path / "dataset_description.json", {"Name": "Derived", "DatasetType": "derivative"})
    trees.put(tmp_path / "sub-1" / "anat" / "sub-1_desc-preproc_T1w.nii.gz", trees.grey(1), trees.OBLIQUE)
    trees.put(tmp_path / "sub-1" / "anat" / "sub-1_space-T1w_mask.nii.gz", trees.labelled(1), trees.OBLIQUE)
    trees.put_json(tmp_path / "sub-1" / "anat" / "sub-1_space-T1w_mask.json", {"Type": "Lesion"})
    trees.put(tmp_path / "sub-2" / "anat" / "sub-2_space-T1w_dseg.nii.gz", trees.labelled(1), trees.OBLIQUE)
    derived = read(tmp_path)
    assert [dict(mask.labels) for mask in derived.masks] == [{1: "Lesion", 255: "Lesion"}]
    assert codes(derived) == ["source-mask-without-image"]


def test_bids_keeps_visits_apart(tmp_path: Path) -> None:
    trees.put_json(tmp_path / "dataset_description.json", {"Name": "Visits"})
    for visit in ("1", "2"):
        inside = Path("sub-01") / f"ses-{visit}" / "anat"
        name = f"sub-01_ses-{visit}"
        trees.put(tmp_path / inside / f"{name}_T1w.nii.gz", trees.grey(int(visit)), trees.FLIPPED)
        mask = tmp_path / "derivatives" / "lesions" / inside / f"{name}_label-lesion_mask.nii.gz"
        trees.put(mask, trees.labelled(1), trees.FLIPPED)
    assert [(case.patient, case.case, len(case.masks)) for case in read(tmp_path).cases] == [
        ("Visits/sub-01", "sub-01/ses-1", 1),
        ("Visits/sub-01", "sub-01/ses-2", 1),
    ]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"background": 0, "tumour": 1}, {1: "tumour"}),
        ({"0": "background", "1": "tumour", "2": "edema"}, {1: "tumour", 2: "edema"}),
        ({"background": 0, "whole": [1, 2], "core": [2]}, {1: "", 2: "core"}),
        ({"background": 0, "one": 1, "other": 1}, {1: ""}),
        ({"background": 0, "far": 300, "none": -1, "odd": "x", "yes": True}, {}),
        ({}, {}),
        ("tumour", {}),
    ],
)
def test_labels_of_a_dataset_json(tmp_path: Path, labels: object, found: dict[int, str]) -> None:
    trees.write_nnunet(tmp_path)
    document = {"channel_names": {"0": "T1", "1": "T2"}, "labels": labels, "file_ending": ".nii.gz"}
    trees.put_json(tmp_path / "dataset.json", document)
    assert [dict(mask.labels) for mask in read(tmp_path).masks] == [found] * 3


def test_a_missing_channel_label_and_image_are_named(tmp_path: Path) -> None:
    trees.write_nnunet(tmp_path)
    (tmp_path / "imagesTr" / "case_001_0001.nii.gz").unlink()
    (tmp_path / "labelsTr" / "case_002.nii.gz").unlink()
    for channel in ("0000", "0001"):
        (tmp_path / "imagesTr" / f"case_003_{channel}.nii.gz").unlink()
    dataset = read(tmp_path)
    assert codes(dataset) == ["dataset-channel-missing", "dataset-label-without-image"]
    assert [(case.case, len(case.images), len(case.masks)) for case in dataset.cases] == [
        ("case_001", 1, 1),
        ("case_002", 2, 0),
    ]


def test_numbers_of_findings_are_those_of_the_sorted_files(tmp_path: Path) -> None:
    trees.write_nnunet(tmp_path)
    (tmp_path / "imagesTr" / "case_001_0001.nii.gz").unlink()
    (finding,) = read(tmp_path).findings
    listed = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert finding.subject == f"file {listed.index('imagesTr/case_001_0000.nii.gz') + 1}"


def test_trees_differ_in_how_their_images_lie() -> None:
    axes = [np.round(affine[:3, :3], 3).tolist() for affine in trees.AFFINES]
    assert len({str(each) for each in axes}) == 3
    assert np.linalg.det(trees.FLIPPED[:3, :3]) < 0

"""The patient of each image and mask in a volume file: by folder, name in any script or BIDS; a question if unclear."""

from pathlib import Path

import pytest

from curation.pairing.pairing import Pairing, load_images, pair_series
from curation.scanning.found_series import FolderScan
from curation.scanning.scan import scan_folder
from tests.curation.support.protocols import MSTT
from tests.curation.support.small_studies import T1, T2, write
from tests.curation.support.small_volumes import put_image, put_mask


def _write(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        if any(word in name for word in ("mask", "seg", "lesion", "tumour", "reader", "Untitled", "drawn")):
            put_mask(folder / f"{name}.nii", 1)
        else:
            put_image(folder / f"{name}.nii", seed)


def _read(folder: Path) -> tuple[FolderScan, Pairing]:
    scan = scan_folder(folder, protocol=MSTT)
    return scan, pair_series(scan, protocol=MSTT)


def _codes(scan: FolderScan) -> list[str]:
    return [finding.code for finding in scan.findings]


def _masks(pairing: Pairing) -> list[int]:
    return [len(pair.masks) for pair in pairing.pairs]


@pytest.mark.parametrize(("one", "other"), [("山田", "鈴木"), ("Иванов", "Петров"), ("علي", "فاطمة"), ("😀", "🐘")])
def test_two_patients_in_folders_of_any_script_are_never_one_case(tmp_path: Path, one: str, other: str) -> None:
    _write(tmp_path, f"{one}/T1", f"{other}/T2_fs")
    scan, pairing = _read(tmp_path)
    assert pairing.pairs == ()
    assert {finding.code for finding in pairing.findings} == {"no-t2", "no-t1"}
    assert len(scan.patient_keys) == 2


@pytest.mark.parametrize(
    "names",
    [
        ("Post/T1", "Raw/T2_fs"),
        ("SE/T1", "W/T2_fs"),
        ("Raw/T1", "Raw/T2_fs", "Post/T1", "Post/T2_fs"),
        ("clinic/SE/T1", "clinic/W/T2_fs"),
        ("SE_T1", "W_T2_fs"),
        ("T1meier", "T2schulz"),
        ("T1meier/image", "T2schulz/image"),
        ("P1/T1meier", "P1/T2schulz"),
        ("clinic/SE_T1", "clinic/W_T2_fs"),
        ("T1/SE", "T2_fs/W"),
        ("T1/SE", "T1/W", "T2_fs/SE", "T2_fs/W"),
    ],
)
def test_names_that_say_nothing_of_a_person_ask(tmp_path: Path, names: tuple[str, ...]) -> None:
    _write(tmp_path, *names)
    scan, pairing = _read(tmp_path)
    assert pairing.pairs == ()
    assert scan.patient_keys == ()
    (finding,) = scan.findings
    assert finding.code == "patient-unclear"
    assert finding.subject == ", ".join(f"file {number}" for number in range(1, len(names) + 1))


@pytest.mark.parametrize(("one", "other"), [("P1", "P1 "), ("Jose\u0301", "Jos\u00e9")])
def test_names_that_only_look_the_same_ask(tmp_path: Path, one: str, other: str) -> None:
    """Blanks at the end of a name are no part of a patient's code: both would be one patient."""
    _write(tmp_path, f"{one}/T1", f"{one}/T2_fs", f"{other}/T1", f"{other}/T2_fs")
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), pairing.pairs) == (["patient-unclear"], ())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Meier_T1", "meier_T2_fs"),
        ("A+_T1", "A-_T2_fs"),
        ("#1_T1", "1_T2_fs"),
        ("1-11_T1", "1_11_T2_fs"),
        ("Jose\u0301_T1", "Jos\u00e9_T2_fs"),
        ("T1/Meier", "T2_fs/meier"),
        ("clinic/patient 1_T1", "clinic/Patient_1_T2_fs"),
        ("A_T1_1", "A_1_T2_fs"),
    ],
)
def test_files_whose_names_are_written_in_two_ways_ask(tmp_path: Path, one: str, other: str) -> None:
    """Their words are the same, and they are one person's, mistyped, or two people's."""
    _write(tmp_path, one, other)
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), pairing.pairs) == (["patient-unclear"], ())
    paths = sorted(f"{name}.nii" for name in (one, other))
    row = ",".join(sorted(paths, key=lambda path: "T2" in path))
    (tmp_path / "cases.csv").write_text(f"patient_id,t1,t2\nP7,{row}\n", encoding="utf-8")
    assert (_codes(_read(tmp_path)[0]), len(_read(tmp_path)[1].pairs)) == ([], 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Meier/2020-01-01", "Meier/2021-05-05"),
        ("Meier/20200101", "Meier/20210505"),
        ("Meier/visit1", "Meier/visit2"),
        ("Meier/baseline/scans", "Meier/follow-up/scans"),
        ("sub-01/ses-1/anat", "sub-01/ses-2/anat"),
        ("visit1/Meier", "visit2/Meier"),
        ("2020-01-01", "2021-05-05"),
    ],
)
def test_patients_who_differ_by_a_visit_alone_are_said(tmp_path: Path, one: str, other: str) -> None:
    _write(tmp_path, f"{one}/T1", f"{one}/T2_fs", f"{other}/T1", f"{other}/T2_fs", "Huber/T1", "Huber/T2_fs")
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), len(pairing.pairs)) == (["patients-perhaps-one"], 3)


def test_what_is_asked_about_is_settled_by_the_table(tmp_path: Path) -> None:
    """Both remedies of ``patient-unclear``: the files named, or a row that says that the folder is a patient."""
    _write(tmp_path, "Post/T1", "Post/T2_fs", "Raw/T1", "Raw/T2_fs", "Raw/mask")
    (tmp_path / "cases.csv").write_text(
        "patient_id,t1,t2\nP7,Post/T1.nii,Post/T2_fs.nii\nP8,Raw/T1.nii,Raw/T2_fs.nii\n"
    )
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), scan.patient_keys, _masks(pairing)) == ([], ("P7", "P8"), [0, 1])
    (tmp_path / "cases.csv").write_text("patient_id\nPost\nRaw\n")
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), scan.patient_keys, _masks(pairing)) == ([], ("Post", "Raw"), [0, 1])


@pytest.mark.parametrize(
    "names",
    [
        ("T1", "T2_fs", "mask"),
        ("t1/image", "t2/image_fs", "masks/t2"),
        ("case7/AX_T1_SE/image", "case7/AX_T2_TSE_FS/image", "case7/AX_T2_TSE_FS/seg"),
        ("P1/SE_T1", "P1/FS_T2", "P1/mask"),
        ("P1/Raw/T1", "P1/Raw/T2_fs", "P1/Raw/mask"),
        ("W/T1", "W/T2_fs", "W/mask"),
        ("T1vibe", "T2haste_fs", "seg_2"),
    ],
)
def test_one_patient_s_files_are_not_asked_about(tmp_path: Path, names: tuple[str, ...]) -> None:
    _write(tmp_path, *names)
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), _masks(pairing)) == ([], [1])


def test_a_folder_s_own_name_tells_apart_what_lies_at_its_top(tmp_path: Path) -> None:
    """Two ingests of a patient's folder each used to give one patient, of no name."""
    for name in ("meier", "schulz"):
        _write(tmp_path / name, "T1", "T2_fs")
    keys = [scan_folder(tmp_path / name, protocol=MSTT).patient_keys for name in ("meier", "schulz")]
    assert keys[0] != keys[1]
    _write(tmp_path / "meier", "meier/T1")
    assert len(scan_folder(tmp_path / "meier", protocol=MSTT).patient_keys) == 2


@pytest.mark.parametrize(
    "mask",
    ["T2_fs_seg_reader1", "Segmentation_2", "tumour_mask", "Untitled_drawn", "T1_lesion", "anna_mask", "labels/x_mask"],
)
def test_a_folder_of_one_patient_s_images_owns_its_masks_whatever_they_are_called(tmp_path: Path, mask: str) -> None:
    _write(tmp_path, "P1/T1", "P1/T2_fs", f"P1/{mask}", "P2/T1", "P2/T2_fs")
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), _masks(pairing)) == ([], [1, 0])


@pytest.mark.parametrize(
    "names",
    [
        ("P1/T1", "P1/T2_fs", "P2/T1", "P2/T2_fs", "mask"),
        ("P1/T1", "P1/T2_fs", "P2/T1", "P2/T2_fs", "P1/P2_mask"),
        ("case7_T1", "case7_T2_fs", "case8_mask"),
        ("clinic/case7_T1", "clinic/case7_T2_fs", "clinic/case8_mask"),
        ("7_T1", "7_T2_fs", "8_mask"),
        ("clinic/Meier/T1", "clinic/Meier/T2_fs", "clinic/Schulz/mask"),
        ("images/P1/T1", "images/P1/T2_fs", "masks/P9/mask"),
        ("meier_T1", "meier_T2_fs", "schulz_T1", "schulz_T2_fs", "meier_anna_mask"),
        ("case_1_T1", "case_1_T2_fs", "case_2_T1", "case_2_T2_fs", "case_1_2_mask"),
        ("A_T1", "A_T2_fs", "A_1_T1", "A_1_T2_fs", "A_mask_1"),
        ("A+_T1", "A+_T2_fs", "A-_mask"),
        ("Meier/T1", "Meier/T2_fs", "meier/T1", "meier/T2_fs", "labels/MEIER_mask"),
        ("patient 1/T1", "patient 1/T2_fs", "patient_1/T1", "patient_1/T2_fs", "labels/patient-1_mask"),
    ],
)
def test_a_mask_that_may_be_anybody_s_is_nobody_s_and_named(tmp_path: Path, names: tuple[str, ...]) -> None:
    _write(tmp_path, *names)
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), sum(_masks(pairing))) == (["mask-of-nobody"], 0)
    assert len(scan.patient_keys) == len(pairing.pairs)


@pytest.mark.parametrize(
    "mask", ["labels/P1/reader1_mask", "labels/P1_reader1_seg", "labels/p1_tumour_seg", "P1/segmentations/v2_mask"]
)
def test_a_mask_elsewhere_is_found_by_its_patient_s_name(tmp_path: Path, mask: str) -> None:
    _write(tmp_path, "P1/T1", "P1/T2_fs", "P2/T1", "P2/T2_fs", mask)
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), _masks(pairing)) == ([], [1, 0])


@pytest.mark.parametrize("names", [("Meier", "meier"), ("patient 1", "patient_1")])
def test_a_mask_is_of_the_patient_whose_name_is_written_like_its_own(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        _write(tmp_path, f"{name}/T1", f"{name}/T2_fs", f"labels/{name}_mask")
    scan, _ = _read(tmp_path)
    assert _codes(scan) == []
    owners = {mask.path.name.removesuffix("_mask.nii"): mask.patient_key for mask in scan.masks}
    assert owners == {name: name for name in names}


def test_a_mask_beside_dicom_is_the_one_patient_s_of_its_folder(tmp_path: Path) -> None:
    for protocol in (T1, T2):
        write(tmp_path / "patient one", protocol, patient="ANON-77")
    put_mask(tmp_path / "patient one" / "drawn.nii", 1)
    put_mask(tmp_path / "patient one" / "mask_T2.nii", 1)
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), scan.patient_keys, _masks(pairing)) == ([], ("ANON-77",), [2])
    write(tmp_path / "patient one", T1, patient="ANON-78", visit="2")
    assert _codes(scan_folder(tmp_path, protocol=MSTT)) == ["mask-of-nobody"] * 2


def test_two_masks_that_differ_are_both_kept_and_said(tmp_path: Path) -> None:
    _write(tmp_path, "P1/T1", "P1/T2_fs", "P1/T2_mask", "P1/T2_mask_copy")
    (pair,) = _read(tmp_path)[1].pairs
    assert load_images(pair).findings == pair.findings  # a copy is no news
    put_mask(tmp_path / "P1" / "T2_seg_reader2.nii", 1, 1)
    loaded = load_images(_read(tmp_path)[1].pairs[0])
    (finding,) = set(loaded.findings) - set(pair.findings)
    assert (finding.code, finding.subject) == ("masks-differ", "patient 1 (first file: 1), file 5")
    assert "that of file 3." in finding.message
    assert len(loaded.masks["t2"]) == 3


@pytest.mark.parametrize("name", ["T2_tumour", "T2_lesion", "T2_tumour_fs"])
def test_a_volume_of_two_values_is_a_mask_and_never_the_t2(tmp_path: Path, name: str) -> None:
    put_image(tmp_path / "P1" / "T1.nii")
    put_mask(tmp_path / "P1" / f"{name}.nii", 1)
    put_mask(tmp_path / "P2" / "T1_lesion.nii", 1)
    put_mask(tmp_path / "P2" / "T2_lesion.nii", 1)
    scan, pairing = _read(tmp_path)
    assert pairing.pairs == ()
    assert [finding.code for finding in pairing.findings] == ["no-t2"]
    assert _codes(scan) == ["mask-of-nobody"] * 2


def test_a_volume_of_few_values_that_is_called_an_image_is_refused_by_name(tmp_path: Path) -> None:
    put_image(tmp_path / "P1" / "T1.nii")
    put_mask(tmp_path / "P1" / "T2_fs.nii", 1, 2, 3)
    scan, pairing = _read(tmp_path)
    (finding,) = scan.findings
    assert (finding.code, finding.subject) == ("volume-few-values", "file 2")
    assert pairing.pairs == ()
    put_image(tmp_path / "P1" / "T2_fs.nii", 5)
    assert _codes(scan_folder(tmp_path, protocol=MSTT)) == []


def test_a_lesion_in_grey_values_is_an_image(tmp_path: Path) -> None:
    put_image(tmp_path / "P1" / "T1_lesion.nii")
    put_image(tmp_path / "P1" / "T2_fs_lesion.nii", 1)
    assert len(_read(tmp_path)[1].pairs) == 1


@pytest.mark.parametrize("name", ["B12", "CM", "IV", "PD7", "sub7", "Loc 3", "P1_ses-post", "Sub-01_ses-pre"])
def test_a_patient_s_code_is_no_description_of_a_sequence(tmp_path: Path, name: str) -> None:
    """``b12`` is a b-value, ``cm`` a contrast agent, elsewhere."""
    _write(tmp_path, f"{name}_T1", f"{name}_T2_fs")
    assert len(_read(tmp_path)[1].pairs) == 1


@pytest.mark.parametrize("name", ["P1/T1_sub", "P1/sub_T1", "P1/T1_gd", "P1/T1_post"])
def test_words_of_a_sequence_still_describe_it(tmp_path: Path, name: str) -> None:
    _write(tmp_path, name, "P1/T2_fs")
    assert _read(tmp_path)[1].pairs == ()


def _bids(folder: Path, subject: str, session: str = "", *, t1: str = "_T1w") -> None:
    start = f"sub-{subject}" + (f"_ses-{session}" if session else "")
    home = f"sub-{subject}/" + (f"ses-{session}/" if session else "") + f"anat/{start}"
    _write(folder, f"{home}{t1}", f"{home}_acq-fatsat_run-1_T2w")


def test_bids_subjects_are_cases_with_the_masks_of_their_derivatives(tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    for subject in ("01", "02"):
        _bids(tmp_path, subject)
        _write(tmp_path, f"derivatives/manual/sub-{subject}/anat/sub-{subject}_space-T2w_label-tumour_mask")
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), _masks(pairing)) == ([], [1, 1])
    assert {role for pair in pairing.pairs for role, _ in pair.masks} == {"t2"}


def test_a_session_s_name_is_no_contrast_agent_and_ce_is(tmp_path: Path) -> None:
    _bids(tmp_path, "01", "post")
    _bids(tmp_path, "02", t1="_ce-gad_T1w")
    _bids(tmp_path, "03", t1="_ce-none_T1w")
    pairing = _read(tmp_path)[1]
    assert [pair.patient_key.rsplit("/", 1)[-1] for pair in pairing.pairs] == ["sub-01", "sub-03"]
    assert "contrast-enhanced" in " ".join(map(str, pairing.findings))


def test_a_mask_of_another_session_or_of_none_is_left_out_and_said(tmp_path: Path) -> None:
    _bids(tmp_path, "01", "a")
    _write(tmp_path, "sub-01/ses-b/anat/sub-01_ses-b_T1w")
    for name in ("ses-a", "ses-b"):
        _write(tmp_path, f"derivatives/sub-01/sub-01_{name}_label-tumour_mask")
    _write(tmp_path, "derivatives/sub-01/sub-01_label-tumour_mask")
    (pair,) = _read(tmp_path)[1].pairs
    assert len(pair.masks) == 1
    assert sorted(finding.code for finding in pair.findings) == ["mask-of-other-series", "mask-session-unclear"]


def test_a_mask_of_another_run_is_left_out_and_said(tmp_path: Path) -> None:
    _bids(tmp_path, "01")
    _write(tmp_path, "derivatives/sub-01/sub-01_acq-fatsat_run-2_space-T2w_mask")
    (pair,) = _read(tmp_path)[1].pairs
    assert ([finding.code for finding in pair.findings], pair.masks) == (["mask-of-other-series"], ())


def test_derivatives_may_be_written_with_a_capital(tmp_path: Path) -> None:
    start = "sub-01/anat/sub-01_"
    _write(tmp_path, f"{start}T1w", f"{start}acq-fatsat_T2w", f"Derivatives/nnunet/{start}space-T2w_label-lesion_mask")
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), _masks(pairing)) == ([], [1])


def test_derived_images_of_bids_are_passed_over_and_said(tmp_path: Path) -> None:
    _bids(tmp_path, "01")
    _write(tmp_path, "derivatives/prep/sub-01/anat/sub-01_desc-preproc_T1w")
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), len(pairing.pairs)) == (["bids-derived-image"], 1)


def test_subjects_of_two_datasets_are_different_people(tmp_path: Path) -> None:
    for site in ("one", "two"):
        _bids(tmp_path / site, "01")
        (tmp_path / site / "dataset_description.json").write_text('{"Name": "sarcoma"}')
    assert len(_read(tmp_path)[1].pairs) == 2
    (tmp_path / "two" / "dataset_description.json").write_text('{"Name": "other"}')
    assert len(_read(tmp_path)[1].pairs) == 2


def test_a_name_that_contradicts_its_folder_asks(tmp_path: Path) -> None:
    _write(tmp_path, "sub-01/anat/sub-02_T1w", "sub-01/anat/sub-02_T2w")
    assert _codes(scan_folder(tmp_path, protocol=MSTT)) == ["patient-unclear"]


def test_a_row_that_several_patients_share_is_nobody_s(tmp_path: Path) -> None:
    _write(tmp_path, "a/P1/T1", "a/P1/T2_fs", "b/P1/T1", "b/P1/T2_fs")
    (tmp_path / "cases.csv").write_text("patient_id,tissue_type\nP1,fat\n")
    scan = scan_folder(tmp_path, protocol=MSTT)
    assert (_codes(scan), dict(scan.descriptions)) == (["table-row-of-several"], {})
    (tmp_path / "cases.csv").write_text("patient_id,tissue_type\na/P1,fat\n")
    assert list(scan_folder(tmp_path, protocol=MSTT).descriptions) == ["a/P1"]


def test_keys_of_patients_who_came_in_rightly_are_what_they_were(tmp_path: Path) -> None:
    """Codes of patients rest on them: of another key only those whose names could not be read before."""
    names = (
        "STS_001/MR_{}_image",
        "case7_{}",
        "images/case8_{}",
        "site/case9/{}",
        "case10/{}/image",
        "Jo Doe/{}",
        "Case-11-{}",
    )
    for name in names:
        _write(tmp_path, name.format("T1"), name.format("T2_fs"))
    scan, pairing = _read(tmp_path)
    assert len(pairing.pairs) == len(names)
    assert scan.former_keys == {}
    _write(tmp_path, "Müller_T1", "Müller_T2_fs")
    assert scan_folder(tmp_path, protocol=MSTT).former_keys == {"müller": "m_ller"}


def test_masks_apart_from_dicom_are_found_by_the_folder_of_their_patient(tmp_path: Path) -> None:
    for name, patient in (("meier", "ANON-1"), ("schulz", "ANON-2")):
        for protocol in (T1, T2):
            write(tmp_path / name, protocol, patient=patient, visit=patient)
    _write(tmp_path, "masks/meier_reader1_mask", "masks/schulz/mask")
    scan, pairing = _read(tmp_path)
    assert (_codes(scan), _masks(pairing)) == ([], [1, 1])


@pytest.mark.parametrize(("mask", "is_tumour"), [("muscle_mask", False), ("muscle_lesion", True), ("thigh_mask", True)])
def test_a_mask_that_is_called_after_a_part_of_the_body_is_no_tumour_and_said(
    tmp_path: Path, mask: str, is_tumour: bool
) -> None:
    _write(tmp_path, "P1/T1", "P1/T2_fs", f"P1/{mask}")
    scan, pairing = _read(tmp_path)
    assert _codes(scan) == ([] if is_tumour else ["mask-of-another-part"])
    assert _masks(pairing) == [1]

"""Sessions of a patient that a dataset tells apart: each that has all required images is chosen for by itself."""

from dataclasses import replace
from pathlib import Path

from curation.pairing.pairing import Pairing, pair_series
from curation.scanning.found_series import FolderScan
from curation.scanning.scan import scan_folder
from curation.scanning.source_listing import listing_of
from datasets.file_tree import FileTree
from datasets.public.recognise import layout_called, recognised
from datasets.study.shipped_protocols import shipped_protocol
from tests.datasets.public import trees

MSTT = shipped_protocol("mstt-199")
BOTH = ("T1w", "T2w")


def _written(
    folder: Path, sessions: dict[str, tuple[str, ...]], *, masks: tuple[str, ...] = (), only_listed: bool = True
) -> FolderScan:
    """A subject of BIDS with images of sessions, and masks by the beginnings of their names."""
    trees.put_json(folder / "dataset_description.json", {"Name": "Thighs", "BIDSVersion": "1.10.0"})
    for number, (session, suffixes) in enumerate(sessions.items()):
        place, stem = (f"ses-{session}/", f"sub-01_ses-{session}") if session else ("", "sub-01")
        for seed, suffix in enumerate(suffixes):
            trees.put(
                folder / f"sub-01/{place}anat/{stem}_{suffix}.nii.gz", trees.grey(10 * number + seed), trees.OBLIQUE
            )
    for stem in masks:
        path = folder / f"derivatives/lesions/sub-01/anat/{stem}_space-T2w_label-lesion_mask.nii.gz"
        trees.put(path, trees.labelled(1), trees.OBLIQUE)
    found = recognised(FileTree.of(folder), layout_called("bids"))
    listed = listing_of(found.dataset, found.tree, MSTT).laid_out
    listed = listed if only_listed else replace(listed, only=None)
    return scan_folder(folder, protocol=MSTT, listed=listed)


def _codes(pairing: Pairing) -> set[str]:
    return {finding.code for finding in pairing.findings}


def test_two_whole_sessions_are_two_cases_and_an_incomplete_one_is_named(tmp_path: Path) -> None:
    masks = ("sub-01_ses-pre", "sub-01_ses-post", "sub-01")
    scan = _written(tmp_path, {"post": BOTH, "pre": BOTH, "late": ("T1w",)}, masks=masks)
    pairing = pair_series(scan, protocol=MSTT)
    assert [summary.visit for summary in pairing.patients] == [1, 2, 3]
    assert [pair.reference.rpartition(", ")[2] for pair in pairing.pairs] == ["visit 2", "visit 3"]
    for pair in pairing.pairs:
        sessions = {choice.series.visit for choice in pair.choices}
        assert len(sessions) == 1
        assert [mask.visit for _, mask in pair.masks] == list(sessions)
    assert [finding.subject.rpartition(", ")[2] for finding in pairing.findings if finding.code == "no-t2"] == [
        "visit 1"
    ]


def test_a_mask_of_no_session_is_named_once_and_belongs_to_none(tmp_path: Path) -> None:
    scan = _written(tmp_path, {"1": BOTH, "2": BOTH}, masks=("sub-01",))
    pairing = pair_series(scan, protocol=MSTT)
    assert [len(pair.masks) for pair in pairing.pairs] == [0, 0]
    assert [finding.code for finding in scan.findings] == ["source-mask-without-image"]


def test_a_mask_that_a_table_names_without_a_session_is_a_doubt(tmp_path: Path) -> None:
    trees.put(tmp_path / "masks/first.nii.gz", trees.labelled(1), trees.OBLIQUE)
    trees.put_csv(tmp_path / "cases.csv", ("patient_id", "mask_t2"), ("Thighs/sub-01", "masks/first.nii.gz"))
    scan = _written(tmp_path, {"1": BOTH, "2": BOTH}, only_listed=False)
    pairing = pair_series(scan, protocol=MSTT)
    assert [len(pair.masks) for pair in pairing.pairs] == [0, 0]
    said = [finding.code for pair in pairing.pairs for finding in pair.findings]
    assert said.count("mask-session-unclear") == 1


def test_a_persons_choice_is_about_the_visit_that_has_the_series(tmp_path: Path) -> None:
    scan = _written(tmp_path, {"1": BOTH, "2": BOTH})
    [other] = [one for one in scan.series if one.visit == "2" and one.named_role == "t1"]
    pairing = pair_series(scan, protocol=MSTT, choices={other.patient_key: {"t1": other.reference}})
    first, second = (pair.chosen["t1"] for pair in pairing.pairs)
    assert (first.is_by_person, second.is_by_person, second.series) == (False, True, other)


def test_images_of_one_visit_beside_others_of_none_are_a_question(tmp_path: Path) -> None:
    """Nothing tells whether the images without a session are of another day."""
    pairing = pair_series(_written(tmp_path, {"": BOTH, "2": BOTH}), protocol=MSTT)
    assert (pairing.pairs, [summary.visit for summary in pairing.patients]) == ((), [0])
    assert "several-studies" in _codes(pairing)


def test_one_whole_session_is_the_patients_case(tmp_path: Path) -> None:
    pairing = pair_series(_written(tmp_path, {"1": BOTH, "2": ("T1w",)}), protocol=MSTT)
    [pair] = pairing.pairs
    assert {choice.series.visit for choice in pair.choices} == {"1"}


def test_a_table_of_ours_is_about_all_visits(tmp_path: Path) -> None:
    trees.put_csv(tmp_path / "cases.csv", ("patient_id", "tissue_type"), ("sub-01", "fat"))
    pairing = pair_series(_written(tmp_path, {"1": BOTH, "2": BOTH}), protocol=MSTT)
    assert [pair.tissue_type for pair in pairing.pairs] == ["fat", "fat"]

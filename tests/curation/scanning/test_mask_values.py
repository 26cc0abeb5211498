"""A value of mask files means one thing in the whole folder: given, listed, or plain; otherwise a person is asked."""

import json
import tempfile
from collections import defaultdict
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from curation.pairing.pairing import load_images, pair_series
from curation.scanning.found_series import FolderScan
from curation.scanning.scan import scan_folder
from datasets.finding import Level
from datasets.formats.nifti import write_mask
from datasets.image.mask import Mask
from datasets.labels.label_values import LabelValues, region_called
from tests.curation.support.protocols import MSTT
from tests.curation.support.small_volumes import GRID, labelled, put_image, put_mask

SAID = {1: "Oedema", 2: "Tumour"}


def _folder(folder: Path, **masks: tuple[int, ...]) -> Path:
    """A patient of each name, with a T2 mask of these values."""
    for seed, (patient, values) in enumerate(masks.items()):
        put_image(folder / patient / "T1.nii", 2 * seed)
        put_image(folder / patient / "T2_fs.nii", 2 * seed + 1)
        put_mask(folder / patient / "T2_seg.nii", *values)
    return folder


def _regions(scan: FolderScan) -> dict[str, dict[str, int]]:
    """Patient to region to the value in the file that it was read from."""
    found = {}
    for pair in pair_series(scan, protocol=MSTT).pairs:
        masks = load_images(pair).masks["t2"]
        path = pair.masks[0][1].path
        values = _values_by_place(path)
        found[pair.patient_key] = {name: values[_place(mask.data)] for name, mask in masks.items()}
    return found


def _place(data: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.argwhere(data)[0])


def _values_by_place(path: Path) -> dict[tuple[int, ...], int]:
    from datasets.formats.nifti import read_volume

    data = read_volume(path).data
    return {_place(np.asarray(data) == value): int(value) for value in np.unique(data) if value}


def _codes(scan: FolderScan) -> list[str]:
    return [finding.code for finding in scan.findings]


def _field_cohort(folder: Path) -> Path:
    return _folder(folder, A=(1, 2), B=(2,), C=(1,))


def test_values_that_differ_between_patients_are_asked_about_and_none_is_taken(tmp_path: Path) -> None:
    scan = scan_folder(_field_cohort(tmp_path), protocol=MSTT)
    (finding,) = scan.findings
    assert (finding.code, finding.subject) == ("mask-values-unclear", "file 3, file 6, file 9")
    assert "value 1, 2 in 1 file(s); value 2 in 1 file(s); value 1 in 1 file(s)" in finding.message
    assert all(regions == {} for regions in _regions(scan).values())


def test_what_a_person_says_holds_for_all(tmp_path: Path) -> None:
    scan = scan_folder(_field_cohort(tmp_path), label_values=SAID, protocol=MSTT)
    assert _codes(scan) == []
    assert _regions(scan) == {"A": {"Oedema": 1, "Tumour": 2}, "B": {"Tumour": 2}, "C": {"Oedema": 1}}


def test_what_the_dataset_lists_holds_for_all(tmp_path: Path) -> None:
    _field_cohort(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "oedema": 1, "tumour": 2}}))
    scan = scan_folder(tmp_path, protocol=MSTT)
    assert _codes(scan) == []
    assert _regions(scan)["B"] == {"Tumour": 2}
    (tmp_path / "dataset.json").write_text("{")
    assert _codes(scan_folder(tmp_path, protocol=MSTT)) == ["label-list", "mask-values-unclear"]


def test_a_table_of_bids_names_the_values_of_its_segmentation(tmp_path: Path) -> None:
    for seed, name in enumerate(("sub-1/anat/sub-1_T1w", "sub-1/anat/sub-1_T2w")):
        put_image(tmp_path / f"{name}.nii", seed)
    put_mask(tmp_path / "derivatives/sub-1/anat/sub-1_space-T2w_dseg.nii", 3, 4)
    table = tmp_path / "derivatives/sub-1/anat/sub-1_space-T2w_dseg.tsv"
    table.write_text("index\tname\n3\tlesion\n4\tedema\n")
    scan = scan_folder(tmp_path, protocol=MSTT)
    assert (_codes(scan), *_regions(scan).values()) == ([], {"Tumour": 3, "Oedema": 4})


@pytest.mark.parametrize(
    ("masks", "is_asked"),
    [
        ({"A": (1,), "B": (1,)}, False),
        ({"A": (255,), "B": (255,)}, False),
        ({"A": (1,), "B": ()}, False),
        ({"A": (1,), "B": (2,)}, True),
        ({"A": (1,), "B": (255,)}, True),
        ({"A": (2,), "B": (2,)}, True),
        ({"A": (1, 2)}, True),
    ],
)
def test_only_plain_masks_that_are_alike_speak_for_themselves(
    tmp_path: Path, masks: dict[str, tuple[int, ...]], is_asked: bool
) -> None:
    scan = scan_folder(_folder(tmp_path, **masks), protocol=MSTT)
    assert _codes(scan) == (["mask-values-unclear"] if is_asked else [])
    taken = [name for regions in _regions(scan).values() for name in regions]
    assert bool(taken) != is_asked


@pytest.mark.parametrize(("background", "drawn"), [(1, 2), (2, 1), (255, 1)])
def test_a_mask_without_a_zero_is_asked_about_and_its_background_is_no_tumour(
    tmp_path: Path, background: int, drawn: int
) -> None:
    _folder(tmp_path, A=())
    data = np.full(GRID.shape, background, np.uint8)
    data[2:4, 1, 3] = drawn
    write_mask(tmp_path / "A" / "T2_seg.nii.gz", Mask(data, GRID))
    (tmp_path / "A" / "T2_seg.nii").unlink()
    assert _codes(scan_folder(tmp_path, protocol=MSTT)) == ["mask-values-unclear"]
    scan = scan_folder(tmp_path, label_values={drawn: "Tumour"}, protocol=MSTT)
    loaded = load_images(pair_series(scan, protocol=MSTT).pairs[0])
    assert [(name, int(mask.data.sum())) for name, mask in loaded.masks["t2"].items()] == [("Tumour", 2)]
    assert "mask-background" in {finding.code for finding in loaded.findings}


@pytest.mark.parametrize("drawn", [0, 1])
def test_a_mask_the_wrong_way_round_is_no_tumour(tmp_path: Path, drawn: int) -> None:
    _folder(tmp_path, A=())
    data = np.ones(GRID.shape, np.uint8)
    data[2:4, 1, 3] = drawn
    write_mask(tmp_path / "A" / "T1_seg.nii.gz", Mask(data, GRID))
    scan = scan_folder(tmp_path, protocol=MSTT)
    loaded = load_images(pair_series(scan, protocol=MSTT).pairs[0])
    assert loaded.masks["t1"] == {}
    assert [finding.code for finding in loaded.findings if finding.level is Level.ERROR] == ["mask-background"]


def test_files_that_name_their_region_may_have_a_value_each(tmp_path: Path) -> None:
    _folder(tmp_path, A=())
    put_mask(tmp_path / "A" / "T2_tumour.nii", 1)
    put_mask(tmp_path / "A" / "T2_oedema.nii", 2)
    scan = scan_folder(tmp_path, protocol=MSTT)
    assert _codes(scan) == []
    names = load_images(pair_series(scan, protocol=MSTT).pairs[0]).masks["t2"]
    assert {region_called(name) for name in names} == {"Tumour", "Oedema"}


@pytest.mark.parametrize(
    ("oedema", "tumour"),
    [("Ödem", "Läsion"), ("O\u0308dem", "Tumor"), ("Oedem", "Tumor"), ("œdème", "tumeur"), ("отёк", "опухоль"),
     ("отек", "Опухоль"), ("水肿", "肿瘤"), ("浮腫", "腫瘍"), ("부종", "종양")],
)  # fmt: skip
def test_an_oedema_is_no_tumour_in_whatever_language(tmp_path: Path, oedema: str, tumour: str) -> None:
    _folder(tmp_path, A=())
    put_mask(tmp_path / "A" / f"T2_{oedema}.nii", 1)
    put_mask(tmp_path / "A" / f"{tumour}.nii", 1)
    scan = scan_folder(tmp_path, protocol=MSTT)
    assert _codes(scan) == []
    masks = load_images(pair_series(scan, protocol=MSTT).pairs[0]).masks["t2"]
    assert sorted(map(region_called, masks)) == ["Oedema", "Tumour"]


@pytest.mark.parametrize("name", ["tumour_and_oedema", "tumour_without_edema_mask", "GTV_Ödem"])
def test_a_name_that_says_tumour_and_oedema_is_asked_about(tmp_path: Path, name: str) -> None:
    _folder(tmp_path, A=())
    put_mask(tmp_path / "A" / f"{name}.nii", 1)
    scan = scan_folder(tmp_path, protocol=MSTT)
    assert _codes(scan) == ["mask-region-unclear"]
    assert load_images(pair_series(scan, protocol=MSTT).pairs[0]).masks["t2"] == {}
    told = scan_folder(tmp_path, label_values={1: "Tumour"}, protocol=MSTT)
    assert (_codes(told), list(load_images(pair_series(told, protocol=MSTT).pairs[0]).masks["t2"])) == (
        [],
        ["Tumour"],
    )


def test_a_name_that_contradicts_what_was_said_is_asked_about(tmp_path: Path) -> None:
    _folder(tmp_path, A=(2,))
    put_mask(tmp_path / "A" / "T2_oedema.nii", 2)
    scan = scan_folder(tmp_path, label_values=SAID, protocol=MSTT)
    assert [(finding.code, finding.subject) for finding in scan.findings] == [("mask-values-contradict", "file 3")]


def test_the_segments_that_slicer_names_are_known_by_their_names(tmp_path: Path) -> None:
    _folder(tmp_path, A=())
    (tmp_path / "A" / "T2_seg.nii").unlink()
    _write_segments(tmp_path / "A" / "Segmentation.seg.nrrd", {1: "Oedema", 2: "Tumour left"})
    scan = scan_folder(tmp_path, protocol=MSTT)
    assert _codes(scan) == []
    (pair,) = pair_series(scan, protocol=MSTT).pairs
    masks = load_images(pair).masks["t2"]
    assert set(masks) == {"Oedema", "Tumour"}
    assert (masks["Tumour"].data == (labelled(1, 2) == 2)).all()
    contradicted = scan_folder(tmp_path, label_values={1: "Tumour", 2: "Oedema"}, protocol=MSTT)
    assert _codes(contradicted) == ["mask-values-contradict"]


def _write_segments(path: Path, names: dict[int, str]) -> None:
    signs = GRID.affine[:3, :3] * np.array([[-1], [-1], [1]])  # NRRD counts to the left and to the back here
    axes = " ".join(f"({','.join(map(str, signs[:, axis]))})" for axis in range(3))
    fields = [
        "NRRD0005", "type: uchar", "dimension: 3", "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, GRID.shape))}", f"space directions: {axes}", "kinds: domain domain domain",
        "encoding: raw", "space origin: (0,0,0)",
    ]  # fmt: skip
    for number, (value, name) in enumerate(names.items()):
        fields += [f"Segment{number}_LabelValue:={value}", f"Segment{number}_Name:={name}"]
    path.write_bytes("\n".join([*fields, "", ""]).encode() + labelled(*names).tobytes(order="F"))


VALUES = st.lists(st.sets(st.sampled_from([1, 2, 3, 255]), max_size=2), min_size=1, max_size=3)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES, st.sampled_from([{}, SAID, {1: "Tumour"}, {255: "Tumour", 1: "Oedema"}]))
def test_a_value_s_meaning_is_one_for_the_folder(masks: list[set[int]], said: LabelValues) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = _folder(Path(home), **{f"case{number}": tuple(sorted(each)) for number, each in enumerate(masks)})
        scan = scan_folder(folder, label_values=said, protocol=MSTT)
        meanings: dict[int, set[str]] = defaultdict(set)
        tumours: set[int] = set()
        for regions in _regions(scan).values():
            for name, value in regions.items():
                meanings[value].add(name)
                tumours |= {value} if name == "Tumour" else set()
        assert all(len(names) == 1 for names in meanings.values())
        assert len(tumours) <= 1
        assert not said or tumours <= {value for value, name in said.items() if name == "Tumour"}
        is_lost = any(each for each in masks) and not meanings
        assert is_lost == ("mask-values-unclear" in _codes(scan))

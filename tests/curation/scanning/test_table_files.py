"""`cases.csv` says which files are which: volumes of any name and format, and DICOM series by number or folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from curation.pairing.pairing import Pairing, load_images, pair_series
from curation.scanning.scan import FolderScan, scan_folder
from datasets.file_tree import leads_outside
from datasets.formats.nifti import write_volume
from datasets.image.volume import Grid, Volume
from datasets.phantom.scanner import Protocol, write_protocol
from tests.curation.support.protocols import MSTT

GRID = Grid((8, 8, 12), np.diag([-1.0, -1.0, 4.0, 1.0]))
PROTOCOL = Protocol(
    name="t1", description="AX T1", size=8, slices=12, gap_mm=4.0, sequence="SE", scan_options="",
    repetition_time_ms=550.0, echo_time_ms=12.0, number=3,
)  # fmt: skip


def _image(path: Path, *, label: bool = False) -> None:
    """A volume of SimpleITK's, on the grid of them all; as a mask a box of 2 x 2 x 2 voxels."""
    data = np.random.default_rng(list(path.name.encode())).random((12, 8, 8)).astype(np.float32)
    if label:
        data = np.zeros((12, 8, 8), np.uint8)
        data[4:6, 2:4, 2:4] = 1
    image = sitk.GetImageFromArray(data)
    image.SetSpacing((1.0, 1.0, 4.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


def _table(folder: Path, *rows: str) -> None:
    (folder / "cases.csv").write_text("\n".join(["patient_id,tissue_type,t1,t2,mask_t1,mask_t2", *rows]) + "\n")


def _pairing(folder: Path) -> tuple[FolderScan, Pairing]:
    scan = scan_folder(folder, protocol=MSTT)
    pairing = pair_series(scan, protocol=MSTT)
    shown = repr(scan) + repr(pairing) + " ".join(map(str, (*scan.findings, *pairing.findings)))
    assert "Nightingale" not in shown
    return scan, pairing


def _said(scan: FolderScan, pairing: Pairing) -> list[str]:
    return [finding.code for finding in (*scan.findings, *pairing.findings)]


@pytest.mark.parametrize("suffix", ["nrrd", "mha", "nhdr", "mhd"])
def test_files_of_any_name_and_format_make_a_case(tmp_path: Path, suffix: str) -> None:
    _image(tmp_path / "scans" / f"Nightingale first.{suffix}")
    _image(tmp_path / "scans" / f"Nightingale second.{suffix}")
    _image(tmp_path / "drawn" / "x.nrrd", label=True)
    _table(tmp_path, f"P7,myxoid,scans/Nightingale first.{suffix},scans/Nightingale second.{suffix},,drawn/x.nrrd")
    scan, pairing = _pairing(tmp_path)
    (pair,) = pairing.pairs
    assert _said(scan, pairing) == []
    assert (pair.patient_key, pair.tissue_type) == ("P7", "myxoid")
    assert (pair.chosen["t1"].is_by_person, pair.chosen["t2"].is_by_person) == (True, True)
    loaded = load_images(pair)
    assert loaded.volumes["t1"].grid.shape == (8, 8, 12)
    (mask,) = loaded.masks["t2"].values()
    assert int(mask.data.sum()) == 8
    assert loaded.masks["t1"] == {}


def test_files_are_known_by_their_own_names_without_a_table(tmp_path: Path) -> None:
    _image(tmp_path / "case7_t1.nrrd")
    _image(tmp_path / "case7_t2_fs.mha")
    _image(tmp_path / "case7_t2.seg.nrrd", label=True)
    scan, pairing = _pairing(tmp_path)
    (pair,) = pairing.pairs
    assert _said(scan, pairing) == []
    assert not pair.chosen["t1"].is_by_person
    assert [int(mask.data.sum()) for mask in load_images(pair).masks["t2"].values()] == [8]


def test_a_file_beside_those_that_are_named_belongs_to_the_same_patient(tmp_path: Path) -> None:
    _image(tmp_path / "Nightingale" / "a_t1.nrrd")
    _image(tmp_path / "Nightingale" / "a_t2.nrrd")
    _image(tmp_path / "Nightingale" / "a_t2_fs.nrrd")
    _table(tmp_path, "P7,fat,,Nightingale/a_t2.nrrd,,")
    _, pairing = _pairing(tmp_path)
    (pair,) = pairing.pairs
    assert pair.patient_key == "P7"
    assert pair.chosen["t2"].is_by_person
    assert [finding.code for finding in pair.findings] == ["t2-not-fat-suppressed"]
    assert len(pairing.patients[0].considered) == 3


@pytest.mark.parametrize(
    "value", ["/etc/passwd", "../elsewhere/t1.nrrd", "a/../../t1.nrrd", "..\\t1.nrrd", "C:\\t1.nrrd", "~/t1.nrrd"]
)
def test_a_path_that_leads_elsewhere_is_never_followed(tmp_path: Path, value: str) -> None:
    _image(tmp_path / "elsewhere" / "t1.nrrd")
    folder = tmp_path / "studies"
    _image(folder / "p" / "t1.nrrd")
    _image(folder / "p" / "t2_fs.nrrd")
    _table(folder, f"p,fat,{value},,,")
    scan, pairing = _pairing(folder)
    assert leads_outside(value)
    assert _said(scan, pairing) == ["table-path-outside", "choice-absent"]
    assert pairing.pairs == ()


def test_what_a_row_names_and_is_not_there_is_told_and_not_replaced(tmp_path: Path) -> None:
    _image(tmp_path / "p" / "t1.nrrd")
    _image(tmp_path / "p" / "t2_fs.nrrd")
    _image(tmp_path / "q" / "t2_fs.nrrd")
    _table(tmp_path, "p,fat,p/t1_new.nrrd,,,p/mask.nrrd", "q,fat,q/t2_fs.nrrd,q/t2_fs.nrrd,,")
    scan, pairing = _pairing(tmp_path)
    assert [(finding.code, finding.subject) for finding in scan.findings] == [
        ("table-file-absent", "cases.csv, row 2"),
        ("table-file-absent", "cases.csv, row 2"),
        ("table-file-twice", "cases.csv, row 3"),
    ]
    columns = [finding.message.rsplit(" column ", 1)[1].split(",")[0] for finding in scan.findings]
    assert columns == ["t1", "mask_t2", "t2"]
    assert "choice-absent" in _said(scan, pairing)
    assert pairing.pairs == ()


def test_a_row_with_a_wrong_path_is_told_once(tmp_path: Path) -> None:
    _image(tmp_path / "p" / "t1.nrrd")
    _table(tmp_path, "nobody,fat,p/absent.nrrd,,,")
    scan, _ = _pairing(tmp_path)
    assert [finding.code for finding in scan.findings] == ["table-file-absent"]


def _write_dicom(folder: Path) -> None:
    """Two T1 series, 3 and 4, and a T2, 5."""
    t2 = replace(PROTOCOL, description="AX T2 FS", scan_options="FS", repetition_time_ms=4000.0, echo_time_ms=80.0)
    for protocol in (PROTOCOL, replace(PROTOCOL, description="AX T1 again", number=4), replace(t2, number=5)):
        home = folder / "study" / f"series {protocol.number}"
        pixels = np.zeros(GRID.shape, np.uint16)
        write_protocol(home, protocol, pixels, GRID, identity=["1", "P7"], name="Nightingale^Florence")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["number", "folder", "reference"])
def test_a_dicom_series_is_named_by_number_folder_or_reference(tmp_path: Path, way: str) -> None:
    _write_dicom(tmp_path)
    assert [finding.code for finding in _pairing(tmp_path)[1].findings] == ["ambiguous-t1"]
    wanted = next(found for found in scan_folder(tmp_path, protocol=MSTT).series if found.evidence.series_number == 4)
    value = {"number": "4", "folder": "study/series 4", "reference": wanted.reference}[way]
    _table(tmp_path, f"P7,fat,{value},,,")
    (pair,) = _pairing(tmp_path)[1].pairs
    assert (pair.chosen["t1"].series.reference, pair.chosen["t1"].is_by_person) == (wanted.reference, True)
    assert not pair.chosen["t2"].is_by_person


def test_what_a_person_chose_later_goes_before_the_table(tmp_path: Path) -> None:
    _write_dicom(tmp_path)
    _table(tmp_path, "P7,fat,4,,,")
    scan = scan_folder(tmp_path, protocol=MSTT)
    other = next(found for found in scan.series if found.evidence.series_number == 3)
    (pair,) = pair_series(scan, choices={"P7": {"t1": other.reference}}, protocol=MSTT).pairs
    assert pair.chosen["t1"].series.reference == other.reference


def test_references_stay_the_same_over_runs_and_places(tmp_path: Path) -> None:
    _write_dicom(tmp_path / "here")
    write_volume(tmp_path / "here" / "x" / "t1.nii.gz", Volume(np.ones(GRID.shape, np.float32), GRID))
    before = {found.reference for found in scan_folder(tmp_path / "here", protocol=MSTT).series}
    (tmp_path / "here").rename(tmp_path / "there")
    assert {found.reference for found in scan_folder(tmp_path / "there", protocol=MSTT).series} == before

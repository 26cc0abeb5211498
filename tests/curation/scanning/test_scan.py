"""Scanning a folder: all images and masks are found whatever their names, others reported without naming anyone."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from curation.scanning.scan import FolderScan, scan_folder
from datasets.dicom.file import without_warnings
from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.finding import Level
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.phantom.cohort import write_phantom_cohort
from tests.curation.support.protocols import MSTT

pytestmark = pytest.mark.slow

GRID = Grid((12, 10, 8), np.diag([-1.0, -1.0, 4.0, 1.0]))


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom_cohort(folder, patients=2)
    return folder


@pytest.fixture
def studies(phantom: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(phantom, tmp_path / "studies"))


def _codes(scan: FolderScan) -> list[str]:
    return [finding.code for finding in scan.findings]


def _write_nifti(folder: Path, *names: str) -> None:
    rng = np.random.default_rng(0)
    for name in names:
        write_volume(folder / name, Volume(rng.random(GRID.shape).astype(np.float32), GRID))


def test_every_series_of_every_patient_is_found(phantom: Path) -> None:
    seen: list[tuple[int, int]] = []
    scan = scan_folder(phantom, progress=lambda done, total: seen.append((done, total)), protocol=MSTT)
    assert scan.findings == ()
    assert [found.evidence.series_description for found in scan.series] == ["LOCALIZER", "AX T1 SE", "AX T2 TSE FS"] * 2
    assert [len(found.files) for found in scan.series] == [3, 20, 18] * 2
    assert len(scan.masks) == 2
    assert scan.patient_keys == ("PHANTOM-0001", "PHANTOM-0002")
    assert scan.descriptions["PHANTOM-0002"].tissue_type == "fat"
    assert seen == [(number, 85) for number in range(1, 86)]
    assert scan.file_count == 85


def test_patients_are_named_by_position(phantom: Path) -> None:
    scan = scan_folder(phantom, protocol=MSTT)
    assert [scan.patient_reference(key) for key in scan.patient_keys] == [
        "patient 1 (first file: 2)",
        "patient 2 (first file: 44)",
    ]


def test_pixels_are_not_read(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("pixels were read")

    monkeypatch.setattr("datasets.dicom_pixels.pixels.read_dataset", fail)
    monkeypatch.setattr("pydicom.Dataset.convert_pixel_data", fail)
    for path in studies.rglob("IM0001.dcm"):
        dataset = dcmread(path)
        dataset.PixelData = b"\0\0"
        dataset.save_as(path)
    assert len(scan_folder(studies, protocol=MSTT).series) == 6


def test_a_corrupt_file_is_named_by_number_and_digest(studies: Path) -> None:
    path = studies / "patient_0001" / "study" / "3_t1" / "IM0005.dcm"
    path.write_bytes(path.read_bytes()[:128] + b"DICM" + b"Canary^Nightingale" * 9)
    scan = scan_folder(studies, protocol=MSTT)
    (finding,) = scan.findings
    number = sorted(p.relative_to(studies).as_posix() for p in studies.rglob("*") if p.is_file()).index(
        "patient_0001/study/3_t1/IM0005.dcm"
    )
    assert finding.subject == f"file {number + 1} (sha256 {sha256_of_file(path)[:12]})"
    assert (finding.level, finding.code) == (Level.ERROR, "dicom-unreadable")
    assert "Nightingale" not in str(finding)
    assert [len(found.files) for found in scan.series] == [3, 19, 18, 3, 20, 18]


@pytest.mark.parametrize("kept", [140, 400, 700])
def test_a_header_that_is_cut_off_is_named(studies: Path, kept: int) -> None:
    path = studies / "patient_0001" / "study" / "3_t1" / "IM0005.dcm"
    path.write_bytes(path.read_bytes()[:kept])
    assert _codes(scan_folder(studies, protocol=MSTT)) == ["dicom-unreadable"]


def test_other_dicom_objects_are_passed_over(studies: Path) -> None:
    dataset = dcmread(next(studies.rglob("regions.dcm")))
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality = "SR"
    dataset.save_as(studies / "report")
    scan = scan_folder(studies, protocol=MSTT)
    assert (scan.findings, len(scan.masks)) == ((), 2)
    assert scan.left_out == {"report": 1}


def test_a_presentation_state_of_a_series_that_is_not_there_is_named(studies: Path) -> None:
    series = scan_folder(studies, protocol=MSTT).series[0].dicom
    assert series is not None
    for name, uid in (("own", series.series_uid), ("other", "1.2.3")):
        state = dcmread(next(studies.rglob("regions.dcm")))
        state.SOPClassUID, state.SOPInstanceUID, state.Modality = GrayscaleSoftcopyPresentationStateStorage, uid, "PR"
        item = Dataset()
        item.SeriesInstanceUID = uid
        state.ReferencedSeriesSequence = Sequence([item])
        del state.ReferencedFrameOfReferenceSequence
        state.save_as(studies / f"zz {name}")
    scan = scan_folder(studies, protocol=MSTT)
    assert [(finding.level, finding.code) for finding in scan.findings] == [(Level.INFO, "presentation-without-series")]
    assert scan.findings[0].subject == f"file {scan.file_count - 1}"
    assert scan.left_out == {"presentation state": 2}


def test_things_that_are_no_images_are_passed_over(studies: Path) -> None:
    for name in ("LICENSE", "README.md", "notes.txt", "table.csv", ".DS_Store", ".cache/IM0001.dcm", "DICOMDIR"):
        (studies / name).parent.mkdir(exist_ok=True)
        (studies / name).write_bytes(b"something else")
    assert _codes(scan_folder(studies, protocol=MSTT)) == ["folders-hidden"]
    (studies / ".git").mkdir()
    (finding,) = scan_folder(studies, protocol=MSTT).findings
    assert finding.level is Level.INFO
    assert "2 folder(s) whose names start with a dot" in finding.message


def test_other_files_are_named(studies: Path) -> None:
    (studies / "archive.zip").write_bytes(b"PK")
    (studies / "broken.dcm").write_bytes(b"")
    (studies / "broken.nii.gz").write_bytes(b"not gzip")
    levels = {finding.code: finding.level for finding in scan_folder(studies, protocol=MSTT).findings}
    assert levels == {
        "file-not-image": Level.WARNING,
        "dicom-unreadable": Level.ERROR,
        "nifti-not-gzip": Level.ERROR,
    }


def test_links_and_pipes_are_not_followed(studies: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(studies / "patient_0001", outside)
    shutil.rmtree(studies / "patient_0001")
    (studies / "linked folder").symlink_to(outside)
    (studies / "linked.dcm").symlink_to(next(outside.rglob("IM0001.dcm")))
    (studies / "loop").symlink_to(studies)
    os.mkfifo(studies / "pipe.dcm")
    scan = scan_folder(studies, protocol=MSTT)
    assert _codes(scan) == ["file-not-regular"] * 4 + ["table-row-unused"]
    assert scan.patient_keys == ("PHANTOM-0002",)


def test_a_dicomdir_is_not_followed(studies: Path) -> None:
    secret = studies.parent / "secret.dcm"
    shutil.copy(next(studies.rglob("IM0001.dcm")), secret)
    record = Dataset()
    record.DirectoryRecordType = "IMAGE"
    with without_warnings():
        record.ReferencedFileID = ["..", "secret.dcm"]
    directory = dcmread(secret)
    directory.DirectoryRecordSequence = Sequence([record])
    for name in ("DICOMDIR", "patient_0001/DICOMDIR"):
        directory.save_as(studies / name)
    scan = scan_folder(studies, protocol=MSTT)
    assert scan.findings == ()
    assert len(scan.series) == 6
    assert not any(secret in found.files for found in scan.series)


def test_a_folder_that_does_not_open_is_named(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = studies / "patient_0001" / "study" / "3_t1"
    opened = os.scandir

    def refuse(path: str) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", path)
        return opened(path)

    monkeypatch.setattr("os.scandir", refuse)
    scan = scan_folder(studies, protocol=MSTT)
    (finding,) = scan.findings
    assert (finding.level, finding.code, finding.subject) == (Level.ERROR, "folder-unreadable", "closed folder 1")
    assert "3_t1" not in str(finding)
    assert len(scan.series) == 5


def test_a_file_that_cannot_be_opened_is_named(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied", "/secret/Nightingale")

    monkeypatch.setattr("curation.scanning.scan.looks_like_dicom", refuse)
    scan = scan_folder(studies, protocol=MSTT)
    assert set(_codes(scan)) == {"file-unreadable", "table-row-unused"}
    assert "Nightingale" not in " ".join(map(str, scan.findings))


@pytest.mark.slow
def test_a_second_copy_is_no_news_but_another_object_of_the_same_uid_is(studies: Path) -> None:
    study = studies / "patient_0001" / "study"
    shutil.copytree(study, studies / "copy of the study")
    assert scan_folder(studies, protocol=MSTT).findings == ()
    assert len(scan_folder(studies, protocol=MSTT).series) == 6
    assert len(scan_folder(studies, protocol=MSTT).masks) == 2
    path = studies / "copy of the study" / "4_t2" / "IM0001.dcm"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert _codes(scan_folder(studies, protocol=MSTT)) == ["dicom-uid-twice"]


@pytest.mark.slow
def test_the_same_picture_under_another_header_is_used_once_and_said(studies: Path) -> None:
    study = studies / "patient_0001" / "study"
    before = scan_folder(studies, protocol=MSTT)
    shutil.copytree(study / "4_t2", studies / "sent again")
    for path in (studies / "sent again").iterdir():
        dataset = dcmread(path)
        dataset.InstitutionName = "Elsewhere"
        dataset.save_as(path)
    scan = scan_folder(studies, protocol=MSTT)
    assert _codes(scan) == ["dicom-twice"]
    assert [found.reference for found in scan.series] == [found.reference for found in before.series]


def test_nifti_by_name(tmp_path: Path) -> None:
    _write_nifti(tmp_path, "p1/MR_T1_image.nii.gz", "p1/t2_fs.nii.gz", "p2/CT_image.nii.gz")
    write_mask(tmp_path / "p1" / "t2_fs_mask.nii.gz", Mask(np.ones(GRID.shape, np.uint8), GRID))
    (tmp_path / "cases.csv").write_text("patient_id,tissue_type\np1,myxoid\n")
    scan = scan_folder(tmp_path, protocol=MSTT)
    assert [(found.patient_key, found.named_role, found.evidence.modality) for found in scan.series] == [
        ("p1", "t1", ""),
        ("p1", "t2", ""),
        ("p2", None, "CT"),
    ]
    assert [(mask.patient_key, mask.named_role) for mask in scan.masks] == [("p1", "t2")]
    assert scan.descriptions["p1"].tissue_type == "myxoid"
    assert scan.series[0].evidence.slice_count == 8


def test_nothing_shown_names_the_patient(studies: Path) -> None:
    (studies / "Nightingale.xyz").write_bytes(b"?")
    (studies / "patient_0001").rename(studies / "Nightingale, Florence")
    scan = scan_folder(studies, protocol=MSTT)
    shown = repr(scan) + " ".join(map(str, scan.findings))
    for secret in ("Nightingale", "PHANTOM-0001", "Phantom^", str(studies)):
        assert secret not in shown


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput) as caught:
        scan_folder(tmp_path / "absent", protocol=MSTT)
    assert caught.value.code == "folder-absent"


def test_an_empty_folder_is_an_empty_scan(tmp_path: Path) -> None:
    scan = scan_folder(tmp_path, protocol=MSTT)
    assert (scan.series, scan.masks, scan.findings, scan.file_count) == ((), (), (), 0)

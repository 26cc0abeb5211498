"""A folder of studies: objects written or held back, and images and masks that mean the same afterwards."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import SecondaryCaptureImageStorage

from curation.deidentification.deidentify import FolderReport, Policy, deidentify_folder
from curation.deidentification.pseudonymous import mapped_uid
from curation.deidentification.report import REPORT_NAME, TABLE_NAME
from curation.pairing.pairing import load_images, pair_series
from curation.scanning.found_series import FolderScan
from curation.scanning.scan import scan_folder
from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series
from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.phantom.cohort import write_phantom_cohort
from tests.curation.support.protocols import MSTT
from tests.data import STS_DICOM, require
from tests.datasets.support.enhanced_files import stack, write_enhanced
from tests.planted_dicom import CANARY, CODE, KEY, as_file, image


def code_of(patient_id: str) -> str:
    return {"PHANTOM-0001": "D1", "PHANTOM-0002": "D2"}.get(patient_id, CODE)


def leave(source: Path, target: Path, policy: Policy = Policy(), **more: bool) -> FolderReport:  # noqa: B008, a constant
    return deidentify_folder(source, target, policy, key=KEY, code_of=code_of, **more)


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"{CANARY} studies")
    write_phantom_cohort(folder, patients=2, size=40)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy",
    [Policy(), Policy(shift_dates=True, keep_characteristics=True, clean_descriptors=True)],
    ids=["basic", "options"],
)
def test_the_same_case_with_the_same_voxels_and_mask_comes_of_it(cohort: Path, tmp_path: Path, policy: Policy) -> None:
    report = leave(cohort, tmp_path / "out", policy)

    assert report.findings == []
    before, after = cases(cohort), cases(tmp_path / "out")
    assert sorted(after) == ["D1", "D2"]
    for old, new in zip(sorted(before), sorted(after), strict=True):
        for role in ("t1", "t2"):
            np.testing.assert_array_equal(before[old].volumes[role].data, after[new].volumes[role].data)
            before[old].volumes[role].grid.require_match(after[new].volumes[role].grid, what="grid")
            masks = [list(case[key].masks.get(role, {}).values()) for case, key in ((before, old), (after, new))]
            assert [int(mask.data.sum()) for mask in masks[0]] == [int(mask.data.sum()) for mask in masks[1]]
            for one, other in zip(*masks, strict=True):
                np.testing.assert_array_equal(one.data, other.data)


def cases(folder: Path) -> dict:
    """Loaded pairs by patient key."""
    pairing = pair_series(scan_folder(folder, protocol=MSTT), protocol=MSTT)
    return {pair.patient_key: load_images(pair) for pair in pairing.pairs}


@pytest.mark.slow
@pytest.mark.parametrize("policy", [Policy(), Policy(clean_descriptors=True)], ids=["basic", "words"])
def test_real_patients_keep_voxels_and_masks(
    policy: Policy, tmp_path: Path, tell_figure: Callable[[str], None]
) -> None:
    source = require(STS_DICOM / "STS_001")
    report = leave(source, tmp_path / "out", policy)
    assert (report.findings, report.file_count) == ([], 82)

    old, new = scan_folder(source, protocol=MSTT), scan_folder(tmp_path / "out", protocol=MSTT)
    after = {one.dicom.series_uid: one.dicom for one in new.series}
    assert (len(old.series), len(old.masks)) == (len(after), len(new.masks)) == (2, 2)
    dices = []
    for found in old.series:
        before, same = found.dicom, after[mapped_uid(found.dicom.series_uid, KEY)]
        np.testing.assert_array_equal(read_series(before).data, read_series(same).data)
        read_series(before).grid.require_match(read_series(same).grid, what="grid")
        one, other = masks_on(before, old), masks_on(same, new)
        assert len(one) == len(other) > 0
        dices += [dice(*pair) for pair in zip(one, other, strict=True)]
    tell_figure(f"STS_001 de-identified: the same voxels; Dice of {len(dices)} masks {min(dices):.3f} at least")
    assert min(dices) == 1.0


def masks_on(series: DicomSeries, scan: FolderScan) -> list[np.ndarray]:
    """All regions that were drawn on a series, in the structure set's order."""
    (path,) = [mask.path for mask in scan.masks if series.series_uid in mask.series_uids]
    return [mask.data > 0 for mask in read_structure_set(path, series).sound().values()]


@pytest.mark.slow
def test_real_patients_become_the_same_case_where_words_stay(tmp_path: Path) -> None:
    source = require(STS_DICOM / "STS_001")
    leave(source, tmp_path / "out", Policy(clean_descriptors=True))

    ((_, before),), ((_, after),) = cases(source).items(), cases(tmp_path / "out").items()

    for role in ("t1", "t2"):
        np.testing.assert_array_equal(before.volumes[role].data, after.volumes[role].data)
        assert sorted(before.masks[role]) == sorted(after.masks[role])
        for name, mask in before.masks[role].items():
            np.testing.assert_array_equal(mask.data, after.masks[role][name].data)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_enhanced_objects_keep_their_frames(tmp_path: Path) -> None:
    grid = Grid((6, 5, 4), np.diag([2.0, 2.0, 4.0, 1.0]))
    pixels = np.arange(120, dtype=np.uint16).reshape(6, 5, 4)
    path = write_enhanced(tmp_path / "in" / "a.dcm", stack(grid, pixels), identity=["x", "Canary"])

    leave(tmp_path / "in", tmp_path / "out")

    (new,) = (tmp_path / "out" / CODE).rglob("*.dcm")
    ((before,), (after,)) = (group_series([read_header(one)]) for one in (path, new))
    np.testing.assert_array_equal(read_series(before).data, read_series(after).data)
    read_series(before).grid.require_match(read_series(after).grid, what="grid")
    assert after.evidence.echo_time_ms == before.evidence.echo_time_ms


def test_a_segmentation_points_to_its_images_and_keeps_its_codes(cohort: Path, tmp_path: Path) -> None:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    source = tmp_path / "in"
    images = sorted(path for path in cohort.rglob("*") if is_image(path))[:3]
    for path in images:
        write(source / path.name, path.read_bytes())
    datasets = [dcmread(path) for path in images]
    tumour = hd.seg.SegmentDescription(
        1,
        segment_label=f"tumour {CANARY}",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )
    mask = np.zeros((3, datasets[0].Rows, datasets[0].Columns), dtype=bool)
    mask[:, 2:7, 3:9] = True
    segmentation = hd.seg.Segmentation(
        datasets, mask, hd.seg.SegmentationTypeValues.BINARY, [tumour], hd.UID(), 99, hd.UID(), 1,
        "maker", "model", "1", "serial",
    )  # fmt: skip
    write(source / "seg.dcm", as_file(segmentation))

    report = leave(source, tmp_path / "out", Policy(clean_descriptors=True))

    assert report.findings == []
    objects = {path.stem: dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")}
    (new,) = [one for one in objects.values() if one.Modality == "SEG"]
    uids = {one.SOPInstanceUID for one in objects.values()}
    (series,) = new.ReferencedSeriesSequence
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} <= uids
    assert series.SeriesInstanceUID in {one.SeriesInstanceUID for one in objects.values()}
    (segment,) = new.SegmentSequence
    assert (segment.SegmentLabel, segment.SegmentedPropertyTypeCodeSequence[0].CodeValue) == ("tumour", "108369006")
    np.testing.assert_array_equal(new.pixel_array, segmentation.pixel_array)
    assert hd.seg.Segmentation.from_dataset(new).number_of_segments == 1
    assert CANARY.encode() not in b"".join(files_of(tmp_path / "out").values())


def is_image(path: Path) -> bool:
    if path.suffix == ".csv" or not path.is_file():
        return False
    dataset = dcmread(path, stop_before_pixels=True)
    return dataset.Modality == "MR" and dataset.get("SeriesDescription", "").upper() != "LOCALIZER"


@pytest.mark.slow
def test_the_same_bytes_again_and_names_from_new_uids_alone(cohort: Path, tmp_path: Path) -> None:
    leave(cohort, tmp_path / "one")
    leave(cohort, tmp_path / "two")
    once = files_of(tmp_path / "one")
    assert files_of(tmp_path / "two") == once
    leave(cohort, tmp_path / "one")
    assert files_of(tmp_path / "one") == once
    for name in set(once) - {REPORT_NAME, TABLE_NAME}:
        patient, study, series, file = name.split("/")
        assert patient in ("D1", "D2")
        assert all(len(part) == 16 and int(part, 16) for part in (study, series, file.removesuffix(".dcm")))


def test_the_report_tells_every_action_and_no_value(cohort: Path, tmp_path: Path) -> None:
    leave(cohort, tmp_path)
    report = json.loads((tmp_path / REPORT_NAME).read_text())
    rows = list(csv.DictReader((tmp_path / TABLE_NAME).open()))

    assert report["policy"]["method"][0] == "DICOM PS3.15 2026d Table E.1-1"
    written = {name for name in files_of(tmp_path) if name.endswith(".dcm")}
    told = {
        f"{one['folder']}/{name}" for one in report["series"] for alike in one["done_alike"] for name in alike["files"]
    }
    assert told == written
    assert report["file_count"] == len(written)
    by_tag = {(row["keyword"], row["done"], row["why"]) for row in rows}
    assert ("PatientBirthDate", "emptied", "Table E.1-1") in by_tag
    assert ("SeriesInstanceUID", "uid mapped", "Table E.1-1") in by_tag
    assert ("PixelData", "kept", "needed by images") in by_tag
    text = (tmp_path / REPORT_NAME).read_text() + (tmp_path / TABLE_NAME).read_text()
    for value in ("PHANTOM", "19500101", CANARY, str(cohort), "1.2.826"):
        assert value not in text


def test_what_may_not_leave_is_named_by_number_and_not_written(tmp_path: Path) -> None:
    source = tmp_path / "in"
    capture, nobody = image(), image()
    capture.SOPClassUID, capture.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3.4"
    nobody.PatientID, nobody.SOPInstanceUID = "", "1.2.3.5"
    other = image()
    other.PixelData = bytes(8)
    write(source / CANARY / "a.dcm", as_file(image()))
    write(source / CANARY / "b.dcm", as_file(image()))
    write(source / CANARY / "c.dcm", as_file(capture))
    write(source / CANARY / "d.dcm", as_file(nobody))
    write(source / CANARY / "e.dcm", as_file(other))
    write(source / CANARY / "f.dcm", as_file(image())[:400])
    capture.SOPInstanceUID = "1.2.3.6"
    write(source / CANARY / "g.dcm", as_file(capture))
    write(source / CANARY / f"{CANARY}.txt", CANARY.encode())
    write(source / CANARY / f"{CANARY}.nii.gz", CANARY.encode())
    write(source / ".hidden" / "a.dcm", as_file(image()))
    (source / CANARY / "link.dcm").symlink_to(source / CANARY / "a.dcm")

    report = leave(source, tmp_path / "out")

    found = [(finding.subject, finding.code) for finding in report.findings]
    codes = ["burned-in", "dicom-no-patient", "dicom-uid-twice"]
    subjects = ("file 5 and 1 others", "file 6", "file 7")
    assert found[:3] == list(zip(subjects, codes, strict=True))
    assert report.as_dict()["held_back"][0]["files"] == [5, 9]
    assert found[3] == ("file 8", "dicom-unreadable")
    assert (report.file_count, report.copies, report.other_files) == (1, 1, 3)
    written = files_of(tmp_path / "out")
    assert len(written) == 3
    assert CANARY not in f"{list(written)}{report.as_dict()}{b''.join(written.values())!r}"


@pytest.mark.slow
def test_a_dry_run_tells_the_same_and_writes_nothing(cohort: Path, tmp_path: Path) -> None:
    rehearsal = leave(cohort, tmp_path / "out", dry_run=True)
    assert not (tmp_path / "out").exists()
    assert leave(cohort, tmp_path / "out").as_dict() == rehearsal.as_dict()


def test_progress_counts_files(cohort: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    deidentify_folder(
        cohort, tmp_path, Policy(), key=KEY, code_of=code_of, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[0][0] == 1
    assert seen[-1][0] == seen[-1][1] == len(seen)


def test_folders_that_will_not_do_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in"
    write(source / "a.dcm", as_file(image()))
    write(tmp_path / "other" / "letter.txt", b"")
    leave(source, tmp_path / "earlier")
    for code, target, origin in (
        ("folder-absent", tmp_path / "out", tmp_path / "nowhere"),
        ("folders-overlap", source / "out", source),
        ("folders-overlap", tmp_path, source),
        ("target-not-empty", tmp_path / "other", source),
    ):
        with pytest.raises(RejectedInput, match=code):
            leave(origin, target)
    with pytest.raises(RejectedInput, match="target-not-empty"):
        leave(source, tmp_path / "earlier", Policy(shift_dates=True))
    leave(source, tmp_path / "earlier")


def test_a_disk_that_fails_leaves_whole_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in" / "a.dcm", as_file(image()))

    def fail(*_args: object) -> None:
        raise OSError(28, "No space left")

    monkeypatch.setattr("curation.deidentification.folder.write_bytes", fail)
    report = leave(tmp_path / "in", tmp_path / "out")
    assert [finding.code for finding in report.findings] == ["file-unreadable"]
    assert not list((tmp_path / "out").rglob("*.dcm"))

"""DICOM SEG of a release: read back by highdicom, pydicom, our own reader and web viewers' adapters, voxel by voxel."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import segread
from pydicom import dcmread

from datasets.dicom.header import read_header
from datasets.dicom_masks.segmentation import read_segment_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series
from datasets.image.orientation import as_ras
from datasets.image.volume import Grid, Volume
from datasets.release.build import ReleaseRole, build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions, SegmentForm
from datasets.release.exports.source import ReleaseSource, SourceCase, open_release
from tests.datasets.release.exports.conftest import Export
from tests.datasets.release.exports.phantoms import (
    EMPTY,
    GRIDS,
    SETTINGS,
    labels_at,
    points_of,
    require_labels_in_place,
    write_cases,
)

FORMS = list(SegmentForm)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def _series(folder: Path) -> DicomSeries:
    (series,) = group_series(read_header(path) for path in sorted(folder.iterdir()))
    return series


def _same_place(found: Volume, case: SourceCase, source: ReleaseSource) -> np.ndarray:
    """The case's labels in the order of another volume's axes."""
    there, here = as_ras(found), as_ras(Volume(source.mask(case).data, source.mask(case).grid))
    there.grid.require_match(here.grid, what="export and release")
    assert there.data.shape == here.data.shape
    return np.asarray(here.data)


@pytest.mark.parametrize("form", FORMS)
def test_our_own_reader_finds_the_same_voxels_and_labels(
    export: Export, source: ReleaseSource, form: SegmentForm
) -> None:
    folder = export("dicom-seg", segments=form)
    for case in source.cases:
        if case.is_empty:
            continue
        series = _series(folder / case.code / "image")
        masks = read_segment_set(folder / case.code / "segmentation.dcm", series).sound()
        assert list(masks) == ["Tumour", "Oedema"]
        for value, name in source.labels.items():
            found = as_ras(Volume(masks[name].data, masks[name].grid)).data
            expected = _same_place(Volume(masks[name].data, masks[name].grid), case, source) == value
            np.testing.assert_array_equal(np.asarray(found, bool), expected)


@pytest.mark.parametrize("form", FORMS)
def test_highdicom_finds_the_labels_in_the_patient(export: Export, form: SegmentForm) -> None:
    folder = export("dicom-seg", segments=form)
    for code in sorted({*GRIDS} - {EMPTY}):
        found = segread(folder / code / "segmentation.dcm")
        assert found.segmentation_type.value == form.value.upper()
        volume = found.get_volume(combine_segments=True)
        assert volume.array.max() == 2
        _require_part_in_place(volume.array, LPS_TO_RAS @ volume.affine, code)


def _require_part_in_place(data: np.ndarray, affine: np.ndarray, code: str) -> None:
    """What highdicom gives, which may leave slices out at both ends, lies where it says and holds all of the mask."""
    table = np.array([0, 1, 0, 2], np.uint8)
    expected = table[labels_at(points_of(Grid(data.shape, affine)), GRIDS[code])]
    np.testing.assert_array_equal(data, expected)
    assert (expected > 0).sum() == (labels_at(points_of(GRIDS[code]), GRIDS[code]) > 0).sum()


@pytest.mark.parametrize("form", FORMS)
def test_pydicom_reads_what_is_said_of_the_segments(export: Export, form: SegmentForm) -> None:
    folder = export("dicom-seg", segments=form)
    found = dcmread(folder / "sub-0001_ses-1" / "segmentation.dcm")
    segments = [item for item in found.SegmentSequence if item.SegmentNumber != 0]
    assert [(item.SegmentNumber, item.SegmentLabel) for item in segments] == [(1, "Tumour"), (2, "Oedema")]
    types = [item.SegmentedPropertyTypeCodeSequence[0] for item in segments]
    assert [(code.CodeValue, code.CodingSchemeDesignator) for code in types] == [
        ("108369006", "SCT"),
        ("79654002", "SCT"),
    ]
    region = segments[0].AnatomicRegionSequence[0]
    assert (region.CodeValue, region.AnatomicRegionModifierSequence[0].CodeMeaning) == ("68367000", "Left")
    assert found.pixel_array.shape[0] == found.NumberOfFrames
    first = dcmread(folder / "sub-0001_ses-1" / "image" / "IM0001.dcm")
    [reference] = found.ReferencedSeriesSequence
    assert reference.SeriesInstanceUID == first.SeriesInstanceUID
    assert found.FrameOfReferenceUID == first.FrameOfReferenceUID
    assert {item.ReferencedSOPInstanceUID for item in reference.ReferencedInstanceSequence} <= {
        dcmread(path).SOPInstanceUID for path in (folder / "sub-0001_ses-1" / "image").iterdir()
    }
    assert found.PatientID == first.PatientID == "sub-0001"


def test_an_empty_mask_has_no_segmentation_and_is_named(export: Export, source: ReleaseSource) -> None:
    folder = export("dicom-seg")
    assert not (folder / EMPTY / "segmentation.dcm").exists()
    assert (folder / EMPTY / "image" / "IM0001.dcm").exists()
    record = json.loads((folder / "export.json").read_text())
    assert {*record["segmentations"]} == {*GRIDS} - {EMPTY}
    assert [(each["code"], each["subject"]) for each in record["findings"]] == [("export-mask-empty", EMPTY)]


def test_a_label_that_a_mask_does_not_hold_is_no_segment(tmp_path: Path) -> None:
    settings = replace(SETTINGS, labels={1: "Tumour", 2: "Necrosis", 3: "Oedema"})
    release = build_release(write_cases(tmp_path), settings, tmp_path / "r").folder
    write_export(plan_export(open_release(release), FORMATS["dicom-seg"], ExportOptions()), tmp_path / "out")
    found = dcmread(tmp_path / "out" / "sub-0001_ses-1" / "segmentation.dcm")
    assert [item.SegmentLabel for item in found.SegmentSequence] == ["Tumour", "Oedema"]
    used = {
        int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        for frame in found.PerFrameFunctionalGroupsSequence
    }
    assert used == {1, 2}


LONG = "A label whose name is longer than the sixty-four characters of a header, and goes on"


def test_labels_and_titles_of_any_text_come_through_the_header(tmp_path: Path) -> None:
    settings = replace(
        SETTINGS,
        labels={1: "Tumour\\bed", 3: LONG},
        roles=(*SETTINGS.roles[:1], ReleaseRole("t2", "T2\\FS \u5716", "t2"), SETTINGS.roles[2]),
    )
    release = build_release(write_cases(tmp_path), settings, tmp_path / "r").folder
    plan = plan_export(open_release(release), FORMATS["dicom-seg"], ExportOptions())
    assert "export-label-code" in {each.code for each in plan.findings}
    write_export(plan, tmp_path / "out")
    found = dcmread(tmp_path / "out" / "sub-0001_ses-1" / "segmentation.dcm")
    assert [item.SegmentLabel for item in found.SegmentSequence] == ["Tumour/bed", LONG[:64]]
    codes = [item.SegmentedPropertyTypeCodeSequence[0] for item in found.SegmentSequence]
    assert [code.CodingSchemeDesignator for code in codes] == ["99MASKLOOP"] * 2
    assert (codes[0].CodeValue, codes[0].CodeMeaning) == ("Tumourbed", "Tumour/bed")
    assert codes[1].LongCodeValue.startswith("Alabelwhose")
    first = dcmread(tmp_path / "out" / "sub-0001_ses-1" / "image" / "IM0001.dcm")
    assert first.SeriesDescription == "T2/FS \u5716"


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ([{"name": "unet-3d", "version": "1"}, {"name": "six-points", "version": "2"}, "x"], "unet-3d-1, six-points-2"),
        ([], None),
    ],
)
def test_models_that_drew_are_named(tmp_path: Path, models: list, said: str | None) -> None:
    cases = [replace(case, provenance={"models": models}) for case in write_cases(tmp_path)]
    release = build_release(cases, SETTINGS, tmp_path / "r").folder
    write_export(plan_export(open_release(release), FORMATS["dicom-seg"], ExportOptions()), tmp_path / "out")
    [segment, *_] = dcmread(tmp_path / "out" / "sub-0001_ses-1" / "segmentation.dcm").SegmentSequence
    assert segment.SegmentAlgorithmType == ("MANUAL" if said is None else "SEMIAUTOMATIC")
    assert segment.get("SegmentAlgorithmName") == said


@pytest.mark.parametrize(("kind", "modality"), [("ct", "CT"), ("pet", "PT")])
def test_series_of_ct_and_pet_come_back_in_their_units(tmp_path: Path, kind: str, modality: str) -> None:
    roles = (SETTINGS.roles[0], ReleaseRole("t2", "Other", kind), SETTINGS.roles[2])
    release = build_release(write_cases(tmp_path), replace(SETTINGS, roles=roles), tmp_path / "r").folder
    source = open_release(release)
    write_export(plan_export(source, FORMATS["dicom-seg"], ExportOptions()), tmp_path / "out")
    for case in source.cases:
        if case.drawn_role != "t2":
            continue
        series = _series(tmp_path / "out" / case.code / "image")
        assert series.evidence.modality == modality
        found, here = as_ras(read_series(series)), as_ras(source.volume(case, "t2"))
        np.testing.assert_allclose(found.data, here.data, atol=float(np.abs(here.data).max()) / 65000)


def test_nothing_of_a_series_says_who_or_when(export: Export) -> None:
    folder = export("dicom-seg")
    for path in sorted(folder.rglob("*.dcm")):
        dataset = dcmread(path)
        assert dataset.PatientIdentityRemoved == "YES"
        dates = {str(element.value) for element in dataset.iterall() if element.VR in ("DA", "DT")}
        assert dates <= {"", "19000101"}


def test_the_same_case_has_the_same_identifiers_in_the_next_version(source: ReleaseSource, tmp_path: Path) -> None:
    cases = write_cases(tmp_path)
    later = build_release(cases, replace(SETTINGS, version="1.0.1", follows="1.0.0"), tmp_path / "r").folder
    write_export(plan_export(source, FORMATS["dicom-seg"], ExportOptions()), tmp_path / "one")
    write_export(plan_export(open_release(later), FORMATS["dicom-seg"], ExportOptions()), tmp_path / "two")
    for name in ("segmentation.dcm", "image/IM0001.dcm"):
        one, two = (dcmread(tmp_path / each / "sub-0001_ses-1" / name) for each in ("one", "two"))
        assert one.SOPInstanceUID == two.SOPInstanceUID
        assert one.SeriesInstanceUID == two.SeriesInstanceUID


MODULES = os.environ.get("MASKLOOP_NODE_MODULES", "")


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("node") and Path(MODULES, "@cornerstonejs", "adapters").is_dir()),
    reason="node is not there, or MASKLOOP_NODE_MODULES does not name a folder with @cornerstonejs/adapters",
)
@pytest.mark.parametrize("form", FORMS)
def test_web_viewers_adapters_find_the_same_voxels(
    export: Export, source: ReleaseSource, form: SegmentForm, tmp_path: Path
) -> None:
    folder = export("dicom-seg", segments=form)
    script = Path(__file__).with_name("read_seg.mjs")
    for case in source.cases:
        if case.is_empty:
            continue
        image, segmentation, out = (
            folder / case.code / "image",
            folder / case.code / "segmentation.dcm",
            tmp_path / "out",
        )
        done = subprocess.run(
            ["node", script, MODULES, image, segmentation, out], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-800:]
        said = json.loads(done.stdout.splitlines()[-1])
        segments = [each for each in said["segments"] if each["number"]]
        assert [(each["number"], each["label"], each["code"]) for each in segments] == [
            (1, "Tumour", "108369006"),
            (2, "Oedema", "79654002"),
        ]
        labels = np.frombuffer(out.read_bytes(), np.uint8).reshape(said["shape"]).transpose(2, 1, 0)
        grid = read_series(_series(image)).grid
        require_labels_in_place(labels, grid.affine, case.code, values={1: 1, 3: 2})

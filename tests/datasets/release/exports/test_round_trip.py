"""Each export comes back through our own importers with the same voxels, labels and codes."""

import json
from pathlib import Path

import numpy as np
import pytest

from datasets.dicom.header import read_header
from datasets.dicom_masks.segmentation import read_segment_set
from datasets.dicom_series.series import group_series
from datasets.file_tree import FileTree
from datasets.files import sha256_of_bytes
from datasets.formats.nifti import VOXEL_OFFSET, nifti_bytes, read_mask, read_volume
from datasets.image.orientation import as_ras, from_ras
from datasets.image.volume import Grid, Volume
from datasets.public.dataset import SourceCase, SourceDataset, SourceImage
from datasets.public.recognise import layout_called, recognised
from datasets.release.case_files import compact
from datasets.release.exports.options import Missing, SegmentForm
from datasets.release.exports.source import ReleaseSource
from datasets.release.exports.source import SourceCase as ReleasedCase
from datasets.release.manifest_reading import read_manifest
from tests.datasets.release.exports.conftest import Export
from tests.datasets.release.exports.phantoms import EMPTY, GRIDS, WITHOUT_CT

WITHOUT_IMAGE = {"missing": Missing.LEAVE_IMAGE_OUT}


def _read(folder: Path, layout: str = "") -> tuple[FileTree, SourceDataset]:
    found = recognised(FileTree.of(folder), layout_called(layout) if layout else None)
    assert found.layout.name == (layout or found.layout.name)
    return found.tree, found.dataset


def _back(volume: Volume, grid: Grid) -> np.ndarray:
    """The voxels in the order of the release's own axes."""
    turned = as_ras(volume)
    turned.grid.require_match(as_ras(Volume(np.zeros(grid.shape, np.uint8), grid)).grid, what="release and export")
    return np.ascontiguousarray(from_ras(turned.data, grid))


def _require_same_voxels(source: ReleaseSource, case: ReleasedCase, role: str, volume: Volume) -> None:
    """The digest of an image's voxels is that of the manifest."""
    manifest = read_manifest((source.folder / "manifest.json").read_bytes())
    [entry] = [entry for entry in manifest.cases if entry.case == case.code]
    grid = source.volume(case, role).grid
    content = nifti_bytes(compact(_back(volume, grid)), grid.affine)
    assert sha256_of_bytes(content[VOXEL_OFFSET:]) == entry.voxels[role]


def _require_same_mask(source: ReleaseSource, case: ReleasedCase, tree: FileTree, found: SourceCase) -> None:
    """The same labels by their names in the same voxels."""
    [mask] = found.masks
    read = read_mask(tree.file(mask.path))
    back = _back(Volume(read.data, read.grid), source.mask(case).grid)
    assert set(mask.labels.values()) == set(source.labels.values())
    for value, name in mask.labels.items():
        np.testing.assert_array_equal(back == value, source.mask(case).label(name))
    assert set(np.unique(back)) - {0} <= {*mask.labels}


def _volume(tree: FileTree, image: SourceImage) -> Volume:
    return read_volume(tree.file(image.path), channel=image.channel)


@pytest.mark.parametrize("layout", ["release", "bids"])
def test_the_release_itself(source: ReleaseSource, layout: str) -> None:
    tree, dataset = _read(source.folder, layout)
    assert len(dataset.cases) == len(source.cases)
    for case, found in zip(source.cases, dataset.cases, strict=True):
        assert found.case.replace("/", "_") == case.code
        assert case.patient in found.patient
        for image in found.images:
            role = next(role for role, path in case.images.items() if path == image.path)
            _require_same_voxels(source, case, role, _volume(tree, image))
        _require_same_mask(source, case, tree, found)


def test_nnunet(export: Export, source: ReleaseSource) -> None:
    folder = export("nnunet", missing=Missing.LEAVE_CASE_OUT)
    tree, dataset = _read(folder / "raw", "nnunet")
    assert dataset.findings == ()
    assert dataset.channels == ("t1", "t2", "CT")
    assert [found.case for found in dataset.cases] == sorted({*GRIDS} - {WITHOUT_CT})
    by_code = {case.code: case for case in source.cases}
    for found in dataset.cases:
        case = by_code[found.case]
        for image in found.images:
            _require_same_voxels(source, case, image.name.lower(), _volume(tree, image))
        _require_same_mask(source, case, tree, found)


def test_decathlon(export: Export, source: ReleaseSource) -> None:
    tree, dataset = _read(export("decathlon", **WITHOUT_IMAGE), "decathlon")
    assert dataset.findings == ()
    assert dataset.publication.licence == "CC-BY-4.0"
    assert [found.case for found in dataset.cases] == sorted(GRIDS)
    for case, found in zip(source.cases, dataset.cases, strict=True):
        assert [image.name for image in found.images] == ["t1", "t2"]
        for image in found.images:
            _require_same_voxels(source, case, image.name, _volume(tree, image))
        _require_same_mask(source, case, tree, found)
        assert found.masks[0].labels == source.labels


def test_monai(export: Export, source: ReleaseSource) -> None:
    """No importer reads a list that holds no images: its entries are the release's own files, which one does read."""
    folder = export("monai", missing=Missing.LEAVE_CASE_OUT)
    tree, dataset = _read(source.folder, "release")
    found = {(image.path, mask.path) for case in dataset.cases for mask in case.masks for image in case.images}
    entries = json.loads((folder / "datalist.json").read_text())["training"]
    assert len(entries) == len(GRIDS) - 1
    for entry in entries:
        assert {(path, entry["label"]) for path in entry["image"]} <= found
        assert tree.file(entry["label"]).is_file()


@pytest.mark.parametrize("form", list(SegmentForm))
def test_dicom_seg(export: Export, source: ReleaseSource, form: SegmentForm) -> None:
    folder = export("dicom-seg", segments=form)
    for case in source.cases:
        (series,) = group_series(read_header(path) for path in sorted((folder / case.code / "image").iterdir()))
        assert series.patient_key == case.patient
        if case.code == EMPTY:
            continue
        masks = read_segment_set(folder / case.code / "segmentation.dcm", series).sound()
        assert set(masks) == set(source.labels.values())
        for name, mask in masks.items():
            back = _back(Volume(mask.data, mask.grid), source.mask(case).grid)
            np.testing.assert_array_equal(back > 0, source.mask(case).label(name))


def test_mstt_199(export: Export, source: ReleaseSource, tmp_path: Path) -> None:
    """At 1 mm and in 8 bits: the same as the export wrote, and the tumour where it is."""
    folder = export("mstt-199", images=("t1", "t2"))
    pids = json.loads((folder / "export.json").read_text())["pids"]
    found = recognised(FileTree.of(folder))
    assert found.layout.name == "mstt-199"
    (tmp_path / "volumes").mkdir()
    tree, dataset = found.layout.prepare(found.tree, found.dataset, tmp_path / "volumes")
    assert [finding.code for finding in dataset.findings] == ["slices-place-assumed"]
    by_code = {case.code: case for case in source.cases}
    assert sorted(pids[one.case] for one in dataset.cases) == sorted({*by_code} - {EMPTY})
    for one in dataset.cases:
        case = by_code[pids[one.case]]
        assert one.tissue_type == case.tissue_type
        assert [image.kind for image in one.images] == ["t1", "t2-fs"]
        [mask] = one.masks
        assert mask.image == case.drawn_role.upper()
        drawn = read_mask(tree.file(mask.path))
        tumour = source.mask(case).label("Tumour")
        assert drawn.volume_ml == pytest.approx(tumour.sum() * source.mask(case).grid.voxel_volume_mm3 / 1000, rel=0.35)
        _require_same_side(drawn.grid, drawn.data, source.mask(case).grid, tumour)


def _require_same_side(grid: Grid, drawn: np.ndarray, whole: Grid, tumour: np.ndarray) -> None:
    """The tumour's middle lies the same way from the middle of the image: not mirrored and not turned."""
    here = grid.to_world(np.argwhere(drawn > 0)).mean(axis=0) - grid.centre_mm
    there = whole.to_world(np.argwhere(tumour)).mean(axis=0) - whole.centre_mm
    assert np.dot(here, there) > 0.9 * np.linalg.norm(here) * np.linalg.norm(there)

"""Exported pictures: their grey values, names, digests and the way back."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.slices.export import SLICES_FILE, SliceSubject, export_slices, read_slices
from datasets.errors import GeometryError, RejectedInput
from datasets.files import sha256_of_file
from datasets.image.digest import content_sha256
from datasets.image.intensity import STANDARD, WIDE, WindowPreset
from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.case import CaseVolumes

SUBJECT = SliceSubject("F02", tissue_type="fibrous", site="thigh", stage="delineation")


@pytest.fixture
def case_volumes() -> CaseVolumes:
    grid = Grid((13, 11, 4), np.array([[-0.5, 0, 0, 9], [0, 0.7, 0, -3], [0, 0, 4, 1], [0, 0, 0, 1.0]]))
    noise = np.random.default_rng(4)
    t1 = noise.normal(300, 80, grid.shape).astype(np.float32)
    t2 = noise.integers(0, 4000, grid.shape).astype(np.int16)
    return CaseVolumes({"t1": Volume(t1, grid), "t2": Volume(t2, grid)})


def test_pictures_hold_the_windowed_voxels(case_volumes: CaseVolumes, tmp_path: Path) -> None:
    plane = PicturePlane.of(case_volumes.grid)
    export = export_slices(case_volumes, plane, tmp_path, subject=SUBJECT)
    assert [(one.role, one.index, one.preset) for one in export.slices] == [
        (role, index, preset)
        for role in ("t1", "t2")
        for index in range(4)
        for preset in ("standard", "bright", "wide")
    ]
    percentiles = {"standard": (0.5, 99.5), "bright": (1, 90), "wide": (0, 100)}
    for one in export.slices:
        volume = case_volumes[one.role]
        low, high = np.percentile(np.asarray(volume.data, dtype=np.float64), percentiles[one.preset])
        shown = np.asarray(Image.open(tmp_path / one.file_name))
        assert shown.dtype == np.uint8
        assert (shown.shape[1], shown.shape[0]) == (one.width, one.height) == (13, 11)
        voxels = np.asarray(volume.data, dtype=np.float64)[:, :, one.index].T[::-1, :]
        np.testing.assert_allclose(shown, np.clip((voxels - low) / (high - low), 0, 1) * 255, atol=0.51)
        assert sha256_of_file(tmp_path / one.file_name) == one.sha256


def test_names_carry_code_role_index_and_preset_only(case_volumes: CaseVolumes, tmp_path: Path) -> None:
    export = export_slices(case_volumes, PicturePlane.of(case_volumes.grid), tmp_path, subject=SUBJECT, indices=[3, 1])
    assert [one.file_name for one in export.for_drawing] == [
        "F02_t1_0001.png",
        "F02_t1_0003.png",
        "F02_t2_0001.png",
        "F02_t2_0003.png",
    ]
    assert [one.file_name for one in export.slices][:3] == [
        "F02_t1_0001.png",
        "F02_t1_0001_bright.png",
        "F02_t1_0001_wide.png",
    ]
    written = [one.file_name for one in export.slices]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([SLICES_FILE, *written])


def test_the_description_brings_everything_back(case_volumes: CaseVolumes, tmp_path: Path) -> None:
    plane = PicturePlane.of(case_volumes.grid)
    presets = (WindowPreset("narrow", 5.0, 95.0), WIDE)
    written = export_slices(
        case_volumes, plane, tmp_path, subject=SUBJECT, presets=dict.fromkeys(("t1", "t2"), presets)
    )
    export = read_slices(tmp_path)
    assert export.slices == written.slices
    assert export.windows == written.windows
    assert export.subject == SUBJECT
    assert export.plane.as_dict() == plane.as_dict()
    assert export.plane.grid.matches(case_volumes.grid, tolerance_mm=0.0)
    assert export.presets == {"t1": presets, "t2": presets}
    assert {one.preset for one in export.for_drawing} == {"narrow"}
    assert export.volumes == {
        "t1": content_sha256(case_volumes["t1"]),
        "t2": content_sha256(case_volumes["t2"]),
    }
    for role, volume in (("t1", case_volumes["t1"]), ("t2", case_volumes["t2"])):
        np.testing.assert_allclose(export.windows[role]["narrow"], np.percentile(volume.data, [5, 95]), rtol=1e-5)
        np.testing.assert_allclose(export.windows[role]["wide"], (volume.data.min(), volume.data.max()), rtol=1e-5)


def test_the_same_volumes_give_the_same_bytes(case_volumes: CaseVolumes, tmp_path: Path) -> None:
    plane = PicturePlane.of(case_volumes.grid)
    for name in ("one", "two"):
        export_slices(case_volumes, plane, tmp_path / name, subject=SUBJECT)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_pictures_carry_no_text_and_no_time(case_volumes: CaseVolumes, tmp_path: Path) -> None:
    (first, *_) = export_slices(case_volumes, PicturePlane.of(case_volumes.grid), tmp_path, subject=SUBJECT).slices
    content = (tmp_path / first.file_name).read_bytes()
    assert Image.open(io.BytesIO(content)).info == {}
    assert not any(chunk in content for chunk in (b"tEXt", b"iTXt", b"zTXt", b"tIME", b"eXIf"))


def test_a_digest_knows_voxels_and_geometry(case_volumes: CaseVolumes) -> None:
    volume = case_volumes["t1"]
    other = np.array(volume.data)
    other[0, 0, 0] += 1
    moved = np.array(volume.grid.affine)
    moved[0, 3] += 0.01
    digests = {
        content_sha256(volume),
        content_sha256(Volume(other, volume.grid)),
        content_sha256(Volume(volume.data, Grid(volume.grid.shape, moved))),
    }
    assert len(digests) == 3
    assert content_sha256(Volume(np.asfortranarray(volume.data), volume.grid)) in digests


def test_an_unfinished_export_is_not_read_as_a_finished_one(case_volumes: CaseVolumes, tmp_path: Path) -> None:
    plane = PicturePlane.of(case_volumes.grid)
    export_slices(case_volumes, plane, tmp_path, subject=SUBJECT)
    (tmp_path / "F02_t2_0002.png").unlink()
    (tmp_path / "F02_t2_0002.png").mkdir()
    with pytest.raises(OSError, match="F02_t2_0002"):
        export_slices(case_volumes, plane, tmp_path, subject=SUBJECT)
    with pytest.raises(RejectedInput) as caught:
        read_slices(tmp_path)
    assert caught.value.code == "slices-description"


def test_what_does_not_fit_is_refused(case_volumes: CaseVolumes, tmp_path: Path) -> None:
    plane = PicturePlane.of(case_volumes.grid)
    with pytest.raises(RejectedInput, match="from 0 to 3, got 4"):
        export_slices(case_volumes, plane, tmp_path, subject=SUBJECT, indices=[0, 4])
    with pytest.raises(GeometryError):
        export_slices(case_volumes, PicturePlane.of(Grid((13, 11, 4), np.eye(4))), tmp_path, subject=SUBJECT)
    for presets in ((), (STANDARD, WindowPreset("standard", 1.0, 2.0))):
        with pytest.raises(RejectedInput, match="a name of its own"):
            export_slices(case_volumes, plane, tmp_path, subject=SUBJECT, presets=dict.fromkeys(("t1", "t2"), presets))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RejectedInput, match="letters, digits"):
        SliceSubject("../../etc")
    (tmp_path / SLICES_FILE).write_text(json.dumps({"format": "something-else"}))
    with pytest.raises(RejectedInput, match="maskloop-slices-2"):
        read_slices(tmp_path)

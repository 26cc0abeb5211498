"""Exports as people and their tools write them: their masks are read, or a finding says which are not."""

import itertools
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.converter import Converter
from label_studio_sdk.converter.brush import contour2rle, mask2rle

from annotation_backend.labeling.exchange.to_nifti import ConvertedExport, export_to_nifti, sources_of
from annotation_backend.labeling.masks import brush
from annotation_backend.labeling.masks.regions import drawn_masks
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, write_mask
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane
from datasets.pictures.picture_turn import DIRECTIONS, turned

HEIGHT, WIDTH, SLICES = 10, 12, 8
AFFINE = np.diag([-1.0, -1.0, 4.0, 1.0])
WANTED = np.zeros((HEIGHT, WIDTH), bool)
WANTED[3:6, 4:9] = True


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    brush.prepare()


def _region(mask: np.ndarray = WANTED, *, alpha: int = 255, **more: Any) -> dict[str, Any]:
    code = mask2rle(mask.astype(np.uint8) * alpha)
    return {
        "id": "r", "type": "brushlabels", "from_name": "tag", "to_name": "image", "image_rotation": 0,
        "original_width": mask.shape[1], "original_height": mask.shape[0],
        "value": {"format": "rle", "rle": code, "brushlabels": ["Tumour"]}, **more,
    }  # fmt: skip


def _save(*regions: Any, number: int = 1, at: str | None = "2026-01-01T10:00:00Z", **more: Any) -> dict[str, Any]:
    return {"id": number, "completed_by": 3, "result": list(regions), **({"updated_at": at} if at else {}), **more}


def _task(number: int, *saves: Any, drafts: Any = (), **data: Any) -> dict[str, Any]:
    task = {"id": number, "data": {"image": "a.png", **data}, "annotations": list(saves)}
    return task | ({"drafts": list(drafts)} if drafts else {})


def _converted(folder: Path, tasks: Any, **more: Any) -> ConvertedExport:
    (folder / "export.json").write_text(json.dumps(tasks))
    sources = more.pop("sources", None) or sources_of([], None)
    return export_to_nifti(folder / "export.json", folder / "out", sources=sources, overwrite=True, **more)


def _codes(report: ConvertedExport) -> list[str]:
    return [finding.code for finding in report.findings]


def _on_grid(folder: Path, tasks: Any, **more: Any) -> tuple[ConvertedExport, np.ndarray]:
    """On a volume whose cut is said, so that only what is looked for is found."""
    write_mask(folder / "grid.nii.gz", _empty())
    more = {"across": "RL", "down": "AP"} | more
    report = _converted(folder, tasks, sources=sources_of([], folder / "grid.nii.gz", **more))
    return report, read_mask(folder / "out" / "volume.nii.gz").data


def _empty(affine: np.ndarray = AFFINE, shape: tuple[int, int, int] = (WIDTH, HEIGHT, SLICES)) -> Any:
    from datasets.image.mask import DEFAULT_LABELS, Mask

    return Mask(np.zeros(shape, np.uint8), Grid(shape, affine), DEFAULT_LABELS)


@pytest.mark.parametrize("alpha", [1, 100, 255])
def test_masks_that_scripts_write_faintly_are_drawn(tmp_path: Path, alpha: int) -> None:
    report = _converted(tmp_path, [_task(1, _save(_region(alpha=alpha)))])
    assert report.volumes[0]["voxels"] == {"Tumour": 15}


def test_what_the_sdk_makes_of_an_outline_is_drawn(tmp_path: Path) -> None:
    outline, _ = cv2.findContours(WANTED.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    region = _region()
    region["value"]["rle"] = contour2rle(outline, 0, HEIGHT, WIDTH)
    report = _converted(tmp_path, [_task(1, _save(region))])
    assert report.volumes[0]["voxels"] == {"Tumour": 15}


def test_a_region_of_several_faint_alphas_is_left_out_and_named(tmp_path: Path) -> None:
    faint = _region()
    alpha = WANTED.astype(np.uint8) * 60
    alpha[3] = alpha[3] // 2
    faint["value"]["rle"] = mask2rle(alpha)
    report = _converted(tmp_path, [_task(1, _save(faint))])
    assert "region-faint" in _codes(report)
    live = drawn_masks([faint], height=HEIGHT, width=WIDTH, picture=None)
    assert [error.code for error in live.refusals] == ["region-faint"]


def test_a_region_without_any_pixel_is_said(tmp_path: Path) -> None:
    report = _converted(tmp_path, [_task(1, _save(_region(np.zeros_like(WANTED)), _region()))])
    assert "regions-blank" in _codes(report)


def test_a_slice_without_a_save_between_drawn_ones_is_named_with_its_draft(tmp_path: Path) -> None:
    tasks = [_task(k + 1, _save(_region()), slice=k) for k in (2, 3, 5)]
    tasks.append(_task(9, slice=4, drafts=[{"id": 1, "result": [_region()]}]))
    report, _ = _on_grid(tmp_path, tasks)
    [finding] = [finding for finding in report.findings if finding.code == "slice-unsaved"]
    assert "slice 4" in finding.message
    assert "1 draft" in finding.message


@pytest.mark.parametrize("gap", ["no task", "skipped", "annotation without number"])
def test_a_gap_between_drawn_slices_is_named_whatever_left_it(tmp_path: Path, gap: str) -> None:
    between = {
        "no task": [],
        "skipped": [_task(9, _save(_region(), was_cancelled="true"), slice=4)],
        "annotation without number": [{"id": 9, "image": "a.png", "slice": "4", "annotation_id": None}],
    }[gap]
    report, data = _on_grid(tmp_path, [_task(k + 1, _save(_region()), slice=k) for k in (3, 5)] + between)
    assert _codes(report) == ["slice-unsaved"]
    assert not data[:, :, 4].any()


def test_a_gap_is_named_also_where_nobody_knows_where_the_slices_lie(tmp_path: Path) -> None:
    tasks = [_task(k, *([_save(_region())] if k != 20 else []), slice=k, case="C7") for k in (10, 20, 30)]
    [finding] = [finding for finding in _converted(tmp_path, tasks).findings if finding.code == "slice-unsaved"]
    assert (finding.subject, "slice 20." in finding.message) == ("C7", True)


def test_a_saved_empty_slice_between_drawn_ones_is_no_gap(tmp_path: Path) -> None:
    report, data = _on_grid(tmp_path, [_task(k, _save(*([_region()] if k != 4 else [])), slice=k) for k in (3, 4, 5)])
    assert _codes(report) == []
    assert [k for k in range(SLICES) if data[:, :, k].any()] == [3, 5]


@pytest.mark.parametrize("drafts", [[7], [{"id": 7}], [{"result": [{"id": "x"}]}]])
def test_drafts_are_said_wherever_they_lie(tmp_path: Path, drafts: Any) -> None:
    report, _ = _on_grid(tmp_path, [_task(1, _save(_region()), slice=0), _task(2, slice=7, drafts=drafts)])
    assert [(f.code, f.subject, "slice 7" in f.message) for f in report.findings] == [
        ("draft-left-out", "volume", True)
    ]
    assert "draft-left-out" in _codes(_converted(tmp_path, [_task(2, _save(_region()), drafts=drafts)]))


def test_a_newest_save_that_is_empty_empties_its_slice(tmp_path: Path) -> None:
    saves = [_save(_region(), number=1), _save(number=2, at="2026-02-01T10:00:00Z")]
    report = _converted(tmp_path, [_task(1, *saves)])
    assert report.volumes[0]["voxels"] == {}
    report, data = _on_grid(tmp_path, [_task(1, *saves, slice=3)])
    assert (_codes(report), data.any()) == ([], False)


def test_a_newest_row_of_the_short_form_that_is_empty_empties_its_slice(tmp_path: Path) -> None:
    row = {"id": 4, "image": "a.png", "annotator": 1}
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    old = row | {"annotation_id": 1, "updated_at": "2026-01-01T10:00:00Z", "tag": [_region()["value"] | size]}
    new = row | {"annotation_id": 2, "updated_at": "2026-02-01T10:00:00Z"}
    for order in ([old, new], [new, old]):
        assert _converted(tmp_path, order).volumes[0]["voxels"] == {}


def test_an_annotation_without_a_result_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    bare = {"id": 5, "updated_at": "2026-03-01T10:00:00Z"}
    assert _codes(_converted(tmp_path, [_task(1, _save(_region()), bare)])) == ["export-task", "nothing-drawn"]


def test_saves_without_a_moment_are_ordered_by_number_and_that_is_said(tmp_path: Path) -> None:
    saves = [_save(_region(), number=9, at=None), _save(number=2, at=None)]
    report = _converted(tmp_path, [_task(1, *saves)])
    assert "save-order" in _codes(report)
    assert report.volumes[0]["voxels"] == {"Tumour": 15}


def test_moments_as_numbers_order_the_saves(tmp_path: Path) -> None:
    old, new = (_save(*drawn, number=n, at=None) for drawn, n in (([], 9), ([_region()], 2)))
    report = _converted(tmp_path, [_task(1, old | {"created_at": 1700000000}, new | {"created_at": 1.8e12})])
    assert "save-order" not in _codes(report)
    assert report.volumes[0]["voxels"] == {"Tumour": 15}


def test_labels_beside_a_bare_brush_are_read_from_the_short_form(tmp_path: Path) -> None:
    value = {"format": "rle", "rle": mask2rle(WANTED.astype(np.uint8) * 255)}
    value |= {"original_width": WIDTH, "original_height": HEIGHT}
    row = {"id": 1, "image": "x.png", "annotation_id": 5, "annotator": 1, "updated_at": "2025-01-01T00:00:00Z"}
    report = _converted(tmp_path, [row | {"tag": [value | {"labels": ["Tumour"]}], "brush": [value]}])
    assert report.volumes[0]["voxels"] == {"Tumour": 15}


def test_the_sdks_short_form_of_labels_beside_a_bare_brush_is_as_its_long_one(tmp_path: Path) -> None:
    config = (
        '<View><Image name="image" value="$image"/><Labels name="tag" toName="image"><Label value="Tumour"/></Labels>'
    )
    config += '<Brush name="brush" toName="image"/></View>'
    value = {"format": "rle", "rle": mask2rle(WANTED.astype(np.uint8) * 255)}
    size = {"id": "a", "to_name": "image", "original_width": WIDTH, "original_height": HEIGHT}
    named = size | {"from_name": "tag", "type": "labels", "value": value | {"labels": ["Tumour"]}}
    bare = size | {"from_name": "brush", "type": "brush", "value": value}
    save = _save(named, bare, created_at="2026-01-01T10:00:00Z")
    (tmp_path / "long.json").write_text(json.dumps([_task(1, save)]))
    (tmp_path / "short").mkdir()
    converter = Converter(config, str(tmp_path))
    converter.convert(str(tmp_path / "long.json"), str(tmp_path / "short"), "JSON_MIN", is_dir=False)
    [short] = (tmp_path / "short").glob("*.json")
    for source in (tmp_path / "long.json", short):
        report = export_to_nifti(source, None, sources=sources_of([], None))
        assert report.volumes[0]["voxels"] == {"Tumour": 15}


def test_numbers_as_text_are_numbers(tmp_path: Path) -> None:
    region = _region(original_width=str(WIDTH), original_height=f"{HEIGHT}.0", image_rotation="0")
    task = _task(1, _save(region, number=7), slice="3")
    task |= {"id": "12"}
    task["annotations"][0] |= {"id": "7", "completed_by": "4", "was_cancelled": "false"}
    report, data = _on_grid(tmp_path, [task])
    assert (_codes(report), int(data[:, :, 3].sum())) == ([], 15)
    beside = json.loads((tmp_path / "out" / "volume.json").read_bytes())
    assert beside["slices"] == [{"index": 3, "task": 12, "annotation": 7, "annotator": 4}]


def test_people_without_numbers_are_not_taken_for_one_person(tmp_path: Path) -> None:
    saves = [_save(_region(), number=n, completed_by=f"{n}@example.org") for n in (1, 2)]
    report = _converted(tmp_path, [_task(1, *saves)], each_annotator=True)
    assert "export-annotator" in _codes(report)
    assert "example" not in " ".join(map(str, report.findings))


def test_a_label_that_no_region_has_is_said(tmp_path: Path) -> None:
    assert "labels-missing" in _codes(_converted(tmp_path, [_task(1, _save(_region()))], labels=["tumour"]))


@pytest.mark.parametrize("tasks", [[], [_task(1)], [{**_task(1), "predictions": [{"result": [_region()]}]}]])
def test_an_export_without_a_save_is_said(tmp_path: Path, tasks: Any) -> None:
    assert _codes(_converted(tmp_path, tasks)) == ["nothing-drawn"]


def test_pictures_that_do_not_say_how_they_were_cut_are_taken_and_the_assumption_is_said(tmp_path: Path) -> None:
    """Squares cut with numpy.rot90 from a RAS volume: left and right change places unless somebody says so."""
    truth = np.zeros((9, 9, 4), bool)
    truth[1:3, 5:8, 1:3] = True
    write_mask(tmp_path / "grid.nii.gz", _empty(np.diag([1.0, 1.0, 4.0, 1.0]), (9, 9, 4)))
    tasks = [
        _task(k, _save(_region(np.rot90(truth[:, :, k])) if truth[:, :, k].any() else {}), slice=k) for k in (1, 2)
    ]
    report = _converted(tmp_path, tasks, sources=sources_of([], tmp_path / "grid.nii.gz"))
    [finding] = report.findings
    assert (finding.code, "right on the left" in finding.message) == ("cut-assumed", True)
    said = sources_of([], tmp_path / "grid.nii.gz", across="LR", down="AP")
    assert _codes(_converted(tmp_path, tasks, sources=said)) == []
    assert np.array_equal(read_mask(tmp_path / "out" / "volume.nii.gz").data > 0, truth)


def test_corners_prove_a_cut_and_refuse_another_volume(tmp_path: Path) -> None:
    corners = [[0, 0, 12], [-(WIDTH - 1), 0, 12], [0, -(HEIGHT - 1), 12]]
    task = _task(1, _save(_region()), slice=3, corners=corners)
    write_mask(tmp_path / "grid.nii.gz", _empty())
    assert _codes(_converted(tmp_path, [task], sources=sources_of([], tmp_path / "grid.nii.gz"))) == []
    write_mask(tmp_path / "grid.nii.gz", _empty(np.diag([1.0, -1.0, 4.0, 1.0])))
    found = _converted(tmp_path, [task], sources=sources_of([], tmp_path / "grid.nii.gz"))
    assert "export-corners" in _codes(found)


@pytest.mark.parametrize("anatomical", AnatomicalPlane)
def test_a_cut_said_by_its_directions_is_that_cut(anatomical: AnatomicalPlane) -> None:
    grid = Grid((4, 5, 6), np.diag([-1.0, 1.0, 2.0, 1.0]))
    plane = PicturePlane.of(grid, anatomical=anatomical)
    pairs = []
    for across, down in itertools.product(DIRECTIONS, repeat=2):
        with suppress(RejectedInput):
            pairs.append((across, down, turned(plane, across=across, down=down)))
    assert len(pairs) == 8
    for across, down, cut in pairs:
        middle = cut.percent_to_world([[50, 50], [60, 50], [50, 60]], index=0)
        for letter, way in ((across[1], middle[1] - middle[0]), (down[1], middle[2] - middle[0])):
            axis, sign = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}[letter]
            assert way[axis] * sign > 0


def test_a_mask_of_another_size_than_the_given_volume_is_told_how_to_say_the_cut(tmp_path: Path) -> None:
    report, _ = _on_grid(tmp_path, [_task(1, _save(_region(WANTED.T)), slice=3), _task(2, _save(_region()), slice=4)])
    [finding] = report.findings
    assert (finding.code, "--across" in finding.remedy) == ("region-size", True)


TEXTUAL = st.sampled_from([int, str, float, lambda number: f" {number}.0 "])
PEOPLE = st.sampled_from([1, "2", None, {"id": 3}, "x@example.org", -5])


OF_ANY_FORM = ["drawn", "emptied", "draft", "skipped", "no result"]
NAMED = {
    "no result": "export-task", "null": "export-task", "draft": "draft-left-out", "shape": "regions-left-out",
    "unsized": "size-assumed", "at once": "save-order",
}  # fmt: skip


@st.composite
def _exports(draw: Any) -> tuple[list[Any], dict[int, int], set[str]]:
    """Tasks of one case, the voxels of each slice that its writer meant (-1 where only a finding is right), and the
    findings that have to be there."""
    tasks, meant, wanted = [], {}, set()
    is_short = draw(st.booleans())
    for index in draw(st.sets(st.integers(0, SLICES - 1), max_size=SLICES)):
        as_written, alpha = draw(TEXTUAL), draw(st.sampled_from([1, 100, 127, 128, 255]))
        kind = draw(st.sampled_from([*OF_ANY_FORM, "shape", "unsized", "null", "at once"]))
        region = _region(alpha=alpha, original_width=as_written(WIDTH), original_height=as_written(HEIGHT))
        saves = {
            "drawn": [_save(number=1, at="2025-01-01"), _save(region, number=2)],
            "emptied": [_save(region, number=1, at="2025-01-01"), _save(number=2)],
            "draft": [],
            "skipped": [_save(region, was_cancelled=True)],
            "no result": [{"id": 1}],
            "null": [_save(region, number=1, at="2025-01-01"), _save(number=2) | {"result": None}],
            "shape": [_save({"type": "rectanglelabels", "from_name": "box", "value": {"rectanglelabels": ["Tumour"]}})],
            "unsized": [_save({key: value for key, value in region.items() if not key.startswith("original_")})],
            "at once": [_save(number=1), _save(region, number=2)],
        }[kind]
        for save in saves:
            save["completed_by"] = draw(PEOPLE)
        drafts = [{"result": [region]}] if kind == "draft" else []
        meant[index] = {"drawn": 15, "unsized": 15, "at once": 15, "emptied": 0, "shape": 0}.get(kind, -1)
        wanted |= {NAMED[kind]} if kind in NAMED else set()
        if is_short and kind in ("drawn", "emptied"):
            for save in saves:
                row = {"id": index, "image": "a", "slice": as_written(index), "annotation_id": as_written(save["id"])}
                row |= {"annotator": save["completed_by"], "updated_at": save["updated_at"]}
                sizes = {key: region[key] for key in ("original_width", "original_height")}
                tasks.append(row | {"tag": [each["value"] | sizes for each in save["result"]]})
        else:
            tasks.append(_task(index, *saves, drafts=drafts, slice=as_written(index)))
    return tasks, meant, wanted


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(_exports())
def test_of_any_export_each_slice_is_as_it_was_meant_or_a_finding(
    tmp_path_factory: pytest.TempPathFactory, made: Any
) -> None:
    tasks, meant, wanted = made
    folder = tmp_path_factory.mktemp("any")
    write_mask(folder / "grid.nii.gz", _empty())
    sources = sources_of([], folder / "grid.nii.gz", across="RL", down="AP")
    report = _converted(folder, tasks, sources=sources)
    counts = dict.fromkeys(range(SLICES), 0)
    if report.volumes:
        data = read_mask(folder / "out" / "volume.nii.gz").data
        counts = {k: int(data[:, :, k].sum()) for k in range(SLICES)}
    assert all(counts[k] == voxels for k, voxels in meant.items() if voxels >= 0)
    drawn = [k for k, voxels in meant.items() if voxels > 0]
    holes = [k for k in range(min(drawn, default=0), max(drawn, default=0)) if meant.get(k, -1) < 0]
    assert ("slice-unsaved" in _codes(report)) == bool(holes)
    assert ("nothing-drawn" in _codes(report)) == (not any(voxels >= 0 for voxels in meant.values()))
    assert {code for code in _codes(report) if code in NAMED.values()} == wanted
    assert "example" not in " ".join(map(str, report.findings))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=4) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "value", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(["region", "value", "save", "task", "data"]), key=st.integers(0, 30), junk=JUNK)
def test_junk_anywhere_in_an_export_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, place: str, key: int, junk: Any
) -> None:
    task = _task(1, _save(_region()), slice=3, drafts=[{"result": []}])
    save = task["annotations"][0]
    at = {
        "region": save["result"][0],
        "value": save["result"][0]["value"],
        "save": save,
        "task": task,
        "data": task["data"],
    }
    at[place][sorted(at[place])[key % len(at[place])]] = junk
    folder = tmp_path_factory.mktemp("junk")
    with suppress(RejectedInput):  # Infinity, as Python writes it, is no JSON
        report = _converted(folder, [task])
        is_drawn = any(volume["voxels"] == {"Tumour": 15} for volume in report.volumes)
        assert is_drawn or report.findings

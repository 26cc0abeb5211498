"""Exports of other people's projects and tools: odd regions, missing data and duplicates are never silent."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation_backend.labeling.exchange.to_nifti import ConvertedExport, export_to_nifti, sources_of
from annotation_backend.labeling.masks import brush
from datasets.errors import RejectedInput
from datasets.formats.nifti import write_mask
from datasets.image.mask import DEFAULT_LABELS, Mask
from datasets.image.volume import Grid

HEIGHT, WIDTH, SLICES = 10, 12, 8
WANTED = np.zeros((HEIGHT, WIDTH), bool)
WANTED[3:6, 4:9] = True
ELSEWHERE = np.roll(WANTED, 2, axis=0)


def _region(mask: np.ndarray = WANTED, *, label: str = "Tumour", **more: Any) -> dict[str, Any]:
    sizes = {"original_width": mask.shape[1], "original_height": mask.shape[0]}
    value = {"format": "rle", "rle": brush.encode(mask), "brushlabels": [label]}
    return {"id": "r", "type": "brushlabels", "from_name": "tag", "to_name": "picture", **sizes, "value": value, **more}


def _shape(kind: str, **more: Any) -> dict[str, Any]:
    sizes = {"original_width": WIDTH, "original_height": HEIGHT}
    value = {"x": 10, "y": 10, "width": 30, "height": 30, "rotation": 30, kind: ["Tumour"]}
    return {"id": "p", "type": kind, "from_name": "box", "to_name": "picture", **sizes, "value": value, **more}


def _save(*regions: Any, number: int | None = 1, at: str = "2026-01-01T10:00:00Z", **more: Any) -> dict[str, Any]:
    return {"id": number, "completed_by": 3, "updated_at": at, "result": list(regions), **more}


def _task(number: int, *saves: Any, **data: Any) -> dict[str, Any]:
    return {"id": number, "data": {"image": "a.png", **data}, "annotations": list(saves)}


def _row(**more: Any) -> dict[str, Any]:
    return {"id": 4, "image": "a", "annotator": 1, "annotation_id": 3, "updated_at": "2026-01-01T10:00:00Z", **more}


def _converted(folder: Path, tasks: Any, *, on_grid: bool = True, **more: Any) -> ConvertedExport:
    grid = Grid((WIDTH, HEIGHT, SLICES), np.diag([-1.0, -1.0, 4.0, 1.0]))
    write_mask(folder / "grid.nii.gz", Mask(np.zeros(grid.shape, np.uint8), grid, DEFAULT_LABELS))
    (folder / "export.json").write_text(json.dumps(tasks))
    sources = sources_of([], folder / "grid.nii.gz", across="RL", down="AP") if on_grid else sources_of([], None)
    return export_to_nifti(folder / "export.json", folder / "out", sources=sources, overwrite=True, **more)


def _codes(report: ConvertedExport) -> list[str]:
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize("kind", ["rectanglelabels", "keypointlabels", "polygonlabels", "ellipselabels"])
def test_shapes_of_other_projects_are_no_masks_and_that_is_said(tmp_path: Path, kind: str) -> None:
    assert _codes(_converted(tmp_path, [_task(1, _save(_shape(kind)), slice=2)])) == ["regions-left-out"]
    report = _converted(tmp_path, [_task(1, _save(_shape(kind)))], on_grid=False)
    assert "regions-left-out" in _codes(report)
    row = _row(slice=2, box=[{key: _shape(kind)[key] for key in ("original_width",)} | _shape(kind)["value"]])
    assert _codes(_converted(tmp_path, [row])) == ["regions-left-out"]


@pytest.mark.parametrize(("control", "kind"), [("smart_box", "rectanglelabels"), ("smart_point", "keypointlabels")])
def test_our_own_prompts_are_no_drawings(tmp_path: Path, control: str, kind: str) -> None:
    prompt = _shape(kind, from_name=control)
    assert _codes(_converted(tmp_path, [_task(1, _save(_region(), prompt), slice=2)])) == []


def test_a_mask_that_does_not_say_its_pictures_size_is_taken_for_the_slices_and_that_is_said(tmp_path: Path) -> None:
    bare = _region()
    del bare["original_width"], bare["original_height"]
    assert _codes(_converted(tmp_path, [_task(1, _save(bare), slice=2)])) == ["size-assumed"]


@pytest.mark.parametrize("numbers", [(None, None), (5, 6)])
def test_of_saves_of_one_moment_it_is_said_that_the_order_is_a_guess(tmp_path: Path, numbers: Any) -> None:
    saves = [_save(_region(mask), number=number) for mask, number in zip((WANTED, ELSEWHERE), numbers, strict=True)]
    assert _codes(_converted(tmp_path, [_task(1, *saves, slice=2)])) == ["save-order"]
    alike = [_save(_region(), number=number) for number in numbers]
    assert _codes(_converted(tmp_path, [_task(1, *alike, slice=2)])) == []


def test_a_newest_save_whose_result_is_null_empties_nothing(tmp_path: Path) -> None:
    later = _save(number=2, at="2026-02-01T10:00:00Z") | {"result": None}
    report = _converted(tmp_path, [_task(1, _save(_region()), later, slice=2)])
    assert _codes(report) == ["export-task", "nothing-drawn"]
    assert "submit that annotation again" in report.findings[0].remedy


def test_tasks_of_one_number_are_said(tmp_path: Path) -> None:
    two = [_task(2, _save(_region())), _task(2, _save(_region(ELSEWHERE), at="2026-02-01T10:00:00Z"))]
    assert "task-twice" in _codes(_converted(tmp_path, two, on_grid=False))
    del two[1]["id"]  # its place is 2
    assert "task-twice" in _codes(_converted(tmp_path, two, on_grid=False))


def test_rows_of_one_task_are_no_task_twice(tmp_path: Path) -> None:
    value = _region()["value"] | {"original_width": WIDTH, "original_height": HEIGHT}
    rows = [_row(slice=2, tag=[value]), _row(slice=2, annotation_id=9, updated_at="2026-02-01T10:00:00Z")]
    assert _codes(_converted(tmp_path, rows)) == []


@pytest.mark.parametrize("names", [(12, 13), ("Müller", "Meyer"), ("../a", "../b"), (["a"], ["b"]), ("volume", None)])
def test_cases_whose_names_are_no_codes_are_not_taken_for_one(tmp_path: Path, names: Any) -> None:
    tasks = [_task(k, _save(_region()), slice=k, **({} if name is None else {"case": name}))
             for k, name in enumerate(names, start=2)]  # fmt: skip
    with pytest.raises(RejectedInput, match="export-cases"):
        _converted(tmp_path, tasks)
    report = _converted(tmp_path, tasks[:1])
    assert _codes(report) == []
    shown = " ".join(path.name for path in (tmp_path / "out").iterdir()) + (tmp_path / "out/export.json").read_text()
    assert not {"Müller", "Meyer"} & set(shown.replace(".", " ").split())


def test_a_gap_of_one_unnamed_case_is_not_filled_by_another(tmp_path: Path) -> None:
    tasks = [_task(k, *([_save(_region())] if k != 3 else []), slice=k, case="Äa") for k in (2, 3, 4)]
    tasks += [_task(10 + k, _save(_region()), slice=k, case="Äb") for k in (2, 3, 4)]
    assert "slice-unsaved" in _codes(_converted(tmp_path, tasks, on_grid=False))


@pytest.mark.parametrize("label", ["\ud800", "a\0b", "a\nb", " "])
def test_a_label_that_cannot_be_written_is_left_out_and_named(tmp_path: Path, label: str) -> None:
    report = _converted(tmp_path, [_task(1, _save(_region(), _region(label=label)), slice=2)])
    assert (_codes(report), report.volumes[0]["voxels"]) == (["region-label"], {"Tumour": 15})


def test_masks_on_several_pictures_of_a_task_are_said(tmp_path: Path) -> None:
    saves = _save(_region(), _region(ELSEWHERE, to_name="before"))
    assert _codes(_converted(tmp_path, [_task(1, saves, slice=2)])) == ["pictures-joined"]


def test_saves_of_nobody_are_not_taken_for_one_persons(tmp_path: Path) -> None:
    saves = [_save(_region(), number=number, completed_by=None) for number in (1, 2)]
    for tasks in ([_task(1, *saves, slice=2)], [_row(annotator=None, slice=2)]):
        assert "export-annotator" in _codes(_converted(tmp_path, tasks, each_annotator=True))
    assert _codes(_converted(tmp_path, [_task(1, saves[0], slice=2)], each_annotator=True)) == []


def test_regions_that_a_table_program_kept_as_text_are_read(tmp_path: Path) -> None:
    value = _region()["value"] | {"original_width": WIDTH, "original_height": HEIGHT}
    report = _converted(tmp_path, [_row(slice=2, tag=json.dumps([value]))])
    assert (_codes(report), report.volumes[0]["voxels"]) == ([], {"Tumour": 15})
    report = _converted(tmp_path, [_row(slice=2, tag=json.dumps([value])[:-9])])
    assert (_codes(report), report.volumes[0]["voxels"]) == (["brush-code", "size-assumed"], {})


def test_a_listing_that_only_counts_annotations_is_no_export(tmp_path: Path) -> None:
    listed = {"id": 1, "data": {"image": "a", "slice": 2}, "total_annotations": 1}
    assert _codes(_converted(tmp_path, [listed])) == ["export-task", "nothing-drawn"]


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ('[{"name": "Müller"}]'.encode("latin-1"), "another encoding than UTF-8"),
        (b'[{"id": 1, "data": {"slice": NaN}, "annotations": []}]', "NaN, which JSON has no word for"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, content: bytes, got: str) -> None:
    (tmp_path / "export.json").write_bytes(content)
    with pytest.raises(RejectedInput, match=f"{got}.*export-malformed"):
        export_to_nifti(tmp_path / "export.json", None, sources=sources_of([], None))


OTHERS = {
    "JSON lines": b'{"id": 1, "data": {}, "annotations": []}\n{"id": 2, "data": {}, "annotations": []}\n',
    "COCO": b'{"images": [], "categories": [], "annotations": []}',
    "ZIP": b"PK\x03\x04....",
    "gzip": b"\x1f\x8b\x08....",
    "CSV": b"id,image,tag\n1,a.png,x\n",
    "UTF-16": "[]".encode("utf-16"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_exports_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "export.json").write_bytes(OTHERS[name])
    with pytest.raises(RejectedInput, match=f"{name}.*export-malformed"):
        export_to_nifti(tmp_path / "export.json", tmp_path / "out", sources=sources_of([], None))

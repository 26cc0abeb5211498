"""Label Studio's exports to NIfTI and back, of our projects and of others, compared with the SDK's converter."""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from label_studio_sdk.converter import Converter

from annotation_backend.labeling.exchange.to_nifti import export_to_nifti, sources_of
from annotation_backend.labeling.masks.regions import MaskFormat, region_of
from curation.slices.export import SliceSubject, export_slices
from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.formats.nifti import read_mask, write_mask
from datasets.image.mask import OEDEMA, TUMOUR, Mask
from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane
from datasets.study.case import CaseVolumes
from datasets.study.protocol_document import read_protocol
from datasets.study.shipped_protocols import shipped_text

SHAPE = (9, 7, 5)
LABELS = {1: TUMOUR, 2: OEDEMA}


def _grid(axes: Sequence[int] = (0, 1, 2), signs: Sequence[int] = (1, 1, 1)) -> Grid:
    """A slightly turned grid whose axes run along the world's in any order and direction."""
    turned = np.eye(3)
    turned[:2, :2] = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
    affine = np.eye(4)
    affine[:3, :3] = turned @ (np.eye(3)[:, axes] * np.array(signs) * [0.8, 1.1, 3.0])
    affine[:3, 3] = [-40.0, 12.5, 7.0]
    return Grid(SHAPE, affine)


def _mask(grid: Grid) -> Mask:
    data = np.random.default_rng(0).choice(np.array([0, 1, 2], np.uint8), SHAPE, p=[0.7, 0.2, 0.1])
    data[:, :, 1] = 0
    return Mask(data, grid, LABELS)


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status and document of the command."""
    status = 0
    try:
        call_command("convert_export", *map(str, arguments), "--json")
    except SystemExit as error:
        status = int(error.code or 0)
    return status, json.loads(capsys.readouterr().out)


def _file(tmp_path: Path, tasks: object, name: str = "export.json") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(tasks))
    return path


def _task(identifier: int, *annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": identifier, "data": {"image": "/data/a.png", **data}, "annotations": list(annotations)}


def _save(*regions: Any, identifier: int = 1, person: Any = 3, at: str = "2026-01-01T10:00:00Z", **more: Any) -> Any:
    return {"id": identifier, "completed_by": person, "updated_at": at, "result": list(regions), **more}


def _square(at: int, label: str = TUMOUR, *, size: tuple[int, int] = (6, 8), **more: Any) -> dict[str, Any]:
    pixels = np.zeros(size, bool)
    pixels[at : at + 2, at : at + 3] = True
    return {**region_of(pixels, region_id=f"r{at}", score=None, label=label), **more}


ALL_GRIDS = [
    pytest.param(cut, axes, signs, id=f"{cut}-{axes}-{signs}")
    for cut, (axes, signs) in zip(
        itertools.cycle(AnatomicalPlane),
        itertools.product(itertools.permutations((0, 1, 2)), itertools.product((1, -1), repeat=3)),
        strict=False,
    )
]


@pytest.mark.parametrize(("cut", "axes", "signs"), ALL_GRIDS)
def test_a_mask_volume_comes_back_from_an_export(
    tmp_path: Path, cut: AnatomicalPlane, axes: Sequence[int], signs: Sequence[int]
) -> None:
    mask = _mask(_grid(axes, signs))
    write_mask(tmp_path / "mask.nii.gz", mask)
    mask_format = MaskFormat.BITMASK if signs[0] < 0 else MaskFormat.BRUSH
    call_command(
        "convert_export", "from-nifti", tmp_path / "mask.nii.gz", tmp_path / "tasks.json", "--view", cut,
        "--labels", "1=Tumour", "2=Oedema", "--case", "C0001", "--mask-format", mask_format,
    )  # fmt: skip
    call_command(
        "convert_export", "to-nifti", tmp_path / "tasks.json", tmp_path / "out", "--grid", tmp_path / "mask.nii.gz",
        "--view", cut,
    )  # fmt: skip
    found = read_mask(tmp_path / "out" / "C0001.nii.gz", labels=LABELS)
    found.grid.require_match(mask.grid, what="round trip")
    assert np.array_equal(found.data, mask.data)


@pytest.mark.parametrize("mask_format", MaskFormat)
def test_the_json_beside_a_mask_brings_it_back_to_the_same_tasks(tmp_path: Path, mask_format: MaskFormat) -> None:
    grid = _grid((2, 0, 1), (-1, 1, -1))
    write_mask(tmp_path / "mask.nii.gz", _mask(grid))
    common = ("--mask-format", mask_format, "--picture", "p/{case}/{slice:03}")
    call_command("convert_export", "from-nifti", tmp_path / "mask.nii.gz", tmp_path / "a.json", "--view", "sagittal",
                 "--labels", "1=Tumour", "2=Oedema", "--case", "C7", *common)  # fmt: skip
    call_command("convert_export", "to-nifti", tmp_path / "a.json", tmp_path / "out", "--view", "sagittal",
                 "--grid", tmp_path / "mask.nii.gz")  # fmt: skip
    call_command("convert_export", "from-nifti", tmp_path / "out" / "C7.nii.gz", tmp_path / "b.json", *common)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_bytes())[2]["data"]["image"] == "p/C7/002"


def test_a_mask_saved_with_its_rows_the_other_way_round_gives_the_same_tasks(tmp_path: Path) -> None:
    grid = _grid((2, 0, 1), (-1, 1, -1))
    write_mask(tmp_path / "mask.nii.gz", _mask(grid))
    call_command("convert_export", "from-nifti", tmp_path / "mask.nii.gz", tmp_path / "a.json", "--case", "C7",
                 "--labels", "1=Tumour", "2=Oedema")  # fmt: skip
    call_command(
        "convert_export", "to-nifti", tmp_path / "a.json", tmp_path / "out", "--grid", tmp_path / "mask.nii.gz"
    )
    there = read_mask(tmp_path / "out" / "C7.nii.gz", labels=LABELS)
    affine = there.grid.affine.copy()
    affine[:3, 3] = there.grid.to_world([0, there.grid.shape[1] - 1, 0])
    affine[:3, 1] *= -1
    turned = Mask(np.ascontiguousarray(there.data[:, ::-1]), Grid(there.grid.shape, affine), LABELS)
    write_mask(tmp_path / "out" / "C7.nii.gz", turned)
    call_command("convert_export", "from-nifti", tmp_path / "out" / "C7.nii.gz", tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_tasks_of_several_cases_are_placed_by_their_exported_slices(tmp_path: Path, capsys: Any) -> None:
    tasks, masks = [], {}
    for number, code in enumerate(("C0001", "C0002")):
        grid = _grid((1, 0, 2), (-1, 1, (-1) ** number))
        plane, mask = PicturePlane.of(grid), _mask(grid)
        masks[code] = mask
        volume = Volume(np.zeros(SHAPE, np.float32), grid)
        export_slices(
            CaseVolumes({"t1": volume, "t2": volume}), plane, tmp_path / "s" / code, subject=SliceSubject(code)
        )
        for index in range(plane.slice_count):
            picture = plane.to_picture(mask.data, index)
            regions = [region_of(picture == value, region_id=f"{value}", score=None, label=label)
                       for value, label in LABELS.items() if (picture == value).any()]  # fmt: skip
            tasks.append(_task(10 * number + index, _save(*regions), case=code, slice=index))
    status, document = _run(capsys, "to-nifti", _file(tmp_path, tasks), tmp_path / "out", "--slices", tmp_path / "s")
    assert (status, document["tasks"], document["findings"]) == (0, 10, [])
    for code, mask in masks.items():
        found = read_mask(tmp_path / "out" / f"{code}.nii.gz", labels=LABELS)
        found.grid.require_match(mask.grid, what="case")
        assert np.array_equal(found.data, mask.data)
        beside = json.loads((tmp_path / "out" / f"{code}.json").read_bytes())
        assert (beside["geometry"], beside["case"]) == ("case", code)
        assert beside["labels"] == {"1": TUMOUR, "2": OEDEMA}
        assert [each["index"] for each in beside["slices"]] == list(range(5))


def test_a_foreign_task_becomes_a_volume_that_says_its_place_is_unknown(tmp_path: Path, capsys: Any) -> None:
    regions = [_square(0, "Bone", to_name="img", from_name="tag"), _square(3, "Air", to_name="img")]
    out = tmp_path / "out"
    status, document = _run(capsys, "to-nifti", _file(tmp_path, [_task(5, _save(*regions))]), out)
    assert status == 1
    assert "geometry-unknown" in document["findings"][0]
    assert sorted(path.name for path in out.iterdir()) == ["export.json", "task-5.json", "task-5.nii.gz"]
    beside = json.loads((out / "task-5.json").read_bytes())
    assert (beside["geometry"], beside["labels"]) == ("unknown", {"1": "Air", "2": "Bone"})
    assert json.loads((out / "export.json").read_bytes())["source_sha256"] == sha256_of_file(tmp_path / "export.json")
    found = read_mask(out / "task-5.nii.gz", labels={1: "Air", 2: "Bone"})
    assert found.grid.spacing == (1.0, 1.0, 1.0)
    picture = PicturePlane.of(found.grid).to_picture(found.data, 0)
    assert picture.shape == (6, 8)
    assert (picture[0, 0], picture[3, 3], picture[5, 0]) == (2, 1, 0)


def test_what_the_sdk_makes_of_brushes_is_what_the_volume_holds(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    config = '<View><Image name="image" value="$image"/><BrushLabels name="brush" toName="image">'
    config += '<Label value="Tumour"/></BrushLabels></View>'
    tasks = [
        _task(number, _save(region_of(random.random((6, 8)) > 0.5, region_id="a", score=None), identifier=number))
        for number in range(1, 4)
    ]
    file = _file(tmp_path, tasks)
    (tmp_path / "sdk").mkdir()
    Converter(config, str(tmp_path)).convert(str(file), str(tmp_path / "sdk"), "BRUSH_TO_NUMPY", is_dir=False)
    export_to_nifti(file, tmp_path / "out", sources=sources_of([], None))
    theirs = sorted((tmp_path / "sdk").glob("*.npy"))
    assert len(theirs) == 3
    for number, path in enumerate(theirs, start=1):
        ours = read_mask(tmp_path / "out" / f"task-{number}.nii.gz")
        assert np.array_equal(PicturePlane.of(ours.grid).to_picture(ours.data, 0), np.load(path) // 255)


def test_the_sdks_short_export_is_read_like_the_long_one(tmp_path: Path) -> None:
    config = '<View><Image name="image" value="$image"/><BrushLabels name="brush" toName="image">'
    config += '<Label value="Tumour"/></BrushLabels></View>'
    saves = [_save(_square(at), identifier=at, at=f"2026-01-0{at}T10:00:00Z", created_at=f"2026-01-0{at}T10:00:00Z")
             for at in (1, 2)]  # fmt: skip
    file = _file(tmp_path, [_task(4, *saves), _task(5, saves[0])])
    (tmp_path / "short").mkdir()
    Converter(config, str(tmp_path)).convert(str(file), str(tmp_path / "short"), "JSON_MIN", is_dir=False)
    [short] = (tmp_path / "short").glob("*.json")
    for source, out in ((file, tmp_path / "long-out"), (short, tmp_path / "short-out")):
        export_to_nifti(source, out, sources=sources_of([], None))
    for name in ("task-4", "task-5"):
        assert len({sha256_of_file(tmp_path / out / f"{name}.nii.gz") for out in ("long-out", "short-out")}) == 1
    assert [_drawn_at(tmp_path / "short-out" / f"task-{number}.nii.gz") for number in (4, 5)] == [2, 1]


def test_the_newest_save_that_was_not_cancelled_counts_or_each_annotators(tmp_path: Path) -> None:
    saves = [
        _save(_square(0), identifier=9, person={"id": 3, "email": "someone@example.org"}, at="2026-01-01T10:00:00.5Z"),
        _save(_square(1), identifier=8, person=4, at="2026-01-01T10:00:00Z"),
        _save(_square(2), identifier=7, person=4, at="2026-01-01T09:00:00Z"),
        _save(_square(3), identifier=6, person=5, at="2026-02-01T10:00:00Z", was_cancelled=True),
    ]
    file = _file(tmp_path, [_task(1, *saves)])
    export_to_nifti(file, tmp_path / "newest", sources=sources_of([], None))
    export_to_nifti(file, tmp_path / "each", sources=sources_of([], None), each_annotator=True)
    assert _drawn_at(tmp_path / "newest" / "task-1.nii.gz") == 0
    assert sorted(path.name for path in (tmp_path / "each").glob("*.nii.gz")) == [
        "task-1_by-3.nii.gz",
        "task-1_by-4.nii.gz",
    ]
    assert _drawn_at(tmp_path / "each" / "task-1_by-4.nii.gz") == 1
    written = b"".join(path.read_bytes() for path in (tmp_path / "each").glob("*.json"))
    assert b"someone" not in written


def _drawn_at(path: Path) -> int:
    mask = read_mask(path)
    return int(np.argwhere(PicturePlane.of(mask.grid).to_picture(mask.data, 0))[0][0])


def test_pages_of_a_task_are_slices(tmp_path: Path) -> None:
    tasks = [_task(1, _save(_square(0, item_index=1), _square(2, item_index=3)), image=["a", "b", "c", "d", "e"])]
    export_to_nifti(_file(tmp_path, tasks), tmp_path / "out", sources=sources_of([], None))
    mask = read_mask(tmp_path / "out" / "task-1.nii.gz")
    assert mask.grid.shape == (8, 6, 5)
    assert np.flatnonzero(mask.data.any(axis=(0, 1))).tolist() == [1, 3]
    write_mask(tmp_path / "grid.nii.gz", mask)
    export_to_nifti(_file(tmp_path, tasks), tmp_path / "on", sources=sources_of([], tmp_path / "grid.nii.gz"))
    assert np.array_equal(read_mask(tmp_path / "on" / "task-1.nii.gz").data, mask.data)


def test_overlapping_labels_are_told_and_the_first_wins(tmp_path: Path) -> None:
    file = _file(tmp_path, [_task(1, _save(_square(0, OEDEMA), _square(0), _square(1, OEDEMA)))])
    report = export_to_nifti(file, tmp_path / "a", sources=sources_of([], None))
    assert [(f.code, f.subject) for f in report.findings if f.code == "label-overlap"] == [("label-overlap", "task-1")]
    assert report.volumes[0]["voxels"] == {TUMOUR: 6, OEDEMA: 4}
    report = export_to_nifti(file, tmp_path / "b", sources=sources_of([], None), labels=[OEDEMA])
    assert report.volumes[0]["voxels"] == {OEDEMA: 10}
    assert "labels-left-out" in [finding.code for finding in report.findings]


def test_a_protocol_gives_the_values_and_a_label_that_it_does_not_have_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = tmp_path / "own.toml"
    words = shipped_text("mstt-199").replace('value = 2\nname = "Oedema"', 'value = 9\nname = "Cyst wall"')
    protocol.write_text(words, encoding="utf-8")
    regions = [_square(0, "Cyst wall"), _square(1), _square(3, "Scar")]
    file = _file(tmp_path, [_task(5, _save(*regions))])
    status, document = _run(capsys, "to-nifti", file, tmp_path / "out", "--protocol", protocol)
    assert status == 1
    assert document["volumes"][0]["voxels"] == {"Tumour": 6, "Cyst wall": 4}
    beside = json.loads((tmp_path / "out" / "task-5.json").read_bytes())
    assert beside["labels"] == {"1": "Tumour", "9": "Cyst wall"}
    report = export_to_nifti(file, None, sources=sources_of([], None), protocol=read_protocol(words))
    unknown = [finding for finding in report.findings if finding.code == "label-unknown"]
    assert ["'Scar'" in finding.message for finding in unknown] == [True]
    assert not [finding for finding in report.findings if finding.code == "labels-missing"]
    back = _run(capsys, "from-nifti", tmp_path / "out" / "task-5.nii.gz", tmp_path / "t.json", "--protocol", protocol)
    assert back[0] == 0
    drawn = (tmp_path / "t.json").read_text(encoding="utf-8")
    assert all(f'"{label}"' in drawn for label in ("Tumour", "Cyst wall"))


def test_bare_brushes_take_their_names_from_the_labels_of_the_same_id(tmp_path: Path) -> None:
    region = _square(0)
    value = {key: content for key, content in region["value"].items() if key != "brushlabels"}
    bare = {**region, "type": "brush", "value": value}
    named = {**region, "type": "labels", "value": {**value, "labels": ["Bone"]}}
    report = export_to_nifti(
        _file(tmp_path, [_task(1, _save(bare, named)), _task(2, _save(bare))]), None, sources=sources_of([], None)
    )
    assert [volume["voxels"] for volume in report.volumes] == [{"Bone": 6}, {"Mask": 6}]


@pytest.mark.parametrize(
    ("code", "bad"),
    [
        ("export-task", 7),
        ("export-task", {"id": 2}),
        ("export-task", {"id": 2, "data": {}, "annotations": "x"}),
        ("export-task", _task(2, _save(), 5)),  # type: ignore[arg-type]
        ("export-task", {"id": 2, "data": {}, "annotations": [{"result": {"a": 1}}]}),
        ("region-malformed", _task(2, _save(5, _square(0)))),
        ("brush-code", _task(2, _save(_square(0, value={"rle": [1], "brushlabels": ["a"]})))),
        ("region-size", _task(2, _save(_square(0), _square(0, original_width=9)))),
        ("region-rotated", _task(2, _save(_square(0, image_rotation=90)))),
        ("export-size", _task(2, _save(_square(0, original_width=None)))),
        ("export-size", _task(2, _save(_square(0, original_width=2**31, original_height=2**31)))),
        ("export-size", _task(2, _save())),
        ("export-pages", _task(2, _save(_square(0, item_index=1)))),
        ("export-pages", _task(2, _save(_square(0), _square(0, size=(3, 4), item_index=1)), image=["a", "b"])),
        ("export-labels", _task(2, _save(*[_square(0, f"label {number}") for number in range(300)]))),
    ],
)
def test_a_task_that_is_not_fit_is_told_and_the_others_are_converted(tmp_path: Path, code: str, bad: Any) -> None:
    report = export_to_nifti(
        _file(tmp_path, [bad, _task(1, _save(_square(1)))]), tmp_path / "out", sources=sources_of([], None)
    )
    assert code in [finding.code for finding in report.findings]
    assert (tmp_path / "out" / "task-1.nii.gz").is_file()
    assert report.tasks == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"7",
        b"[",
        b'[{"id": 1,',
        b"\xff\xfe",
        b'{"a": }',
        b'[{"id": NaN}]',
        b"[" * 100_000,
        b'[{"id": 1' + b"0" * 400,
    ],
)
def test_what_is_no_export_is_refused_and_nothing_is_left(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "export.json").write_bytes(content)
    with pytest.raises(RejectedInput, match=r"export-malformed|file-empty"):
        export_to_nifti(tmp_path / "export.json", tmp_path / "out", sources=sources_of([], None))
    assert [path.name for path in tmp_path.iterdir()] == ["export.json"]


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/b", "..", "", "task-1", "x" * 300])
def test_names_come_from_numbers_and_codes_only(tmp_path: Path, name: str) -> None:
    task = _task(1, _save(_square(0)), case=name, slice=0, image=name) | {"file_upload": name}
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True)
    export_to_nifti(_file(folder, [task]), folder / "out", sources=sources_of([], None))
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["export.json", "task-1.json", "task-1.nii.gz"]
    assert len(list(tmp_path.rglob("*.nii.gz"))) == 1


def test_a_crash_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _file(tmp_path, [_task(1, _save(_square(0))), _task(2, _save(_square(1)))])
    export_to_nifti(file, tmp_path / "out", sources=sources_of([], None))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("annotation_backend.labeling.exchange.to_nifti.write_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        export_to_nifti(file, tmp_path / "out", sources=sources_of([], None), overwrite=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.json", "out"]


def test_folders_and_files_that_are_in_use_are_kept(tmp_path: Path, capsys: Any) -> None:
    file = _file(tmp_path, [_task(1, _save(_square(0)))])
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x")
    for more in ((), ("--overwrite",)):
        status, document = _run(capsys, "to-nifti", file, mine, *more)
        assert (status, document["code"]) == (2, "out-exists")
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]
    assert _run(capsys, "to-nifti", file, tmp_path / "out")[0] == 1
    assert _run(capsys, "to-nifti", file, tmp_path / "out")[0] == 2
    assert _run(capsys, "to-nifti", file, tmp_path / "out", "--overwrite")[0] == 1
    mask = tmp_path / "out" / "task-1.nii.gz"
    assert _run(capsys, "from-nifti", mask, file)[1]["code"] == "out-exists"
    assert json.loads(file.read_text())[0]["id"] == 1


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(tmp_path: Path, capsys: Any) -> None:
    file = _file(tmp_path, [_task(1, _save(_square(0)))])
    status, document = _run(capsys, "to-nifti", file, tmp_path / "out", "--dry-run")
    assert (status, document["volumes"][0]["voxels"]) == (1, {TUMOUR: 6})
    write_mask(tmp_path / "m.nii.gz", _mask(_grid()))
    status, document = _run(
        capsys, "from-nifti", tmp_path / "m.nii.gz", tmp_path / "t.json", "--dry-run", "--labels", "1=a", "2=b"
    )
    assert (status, document["tasks"], document["labels"]) == (0, 5, ["a", "b"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.json", "m.nii.gz"]


def test_predictions_name_their_model_and_the_controls_of_a_foreign_interface(tmp_path: Path, capsys: Any) -> None:
    write_mask(tmp_path / "m.nii.gz", _mask(_grid()))
    _run(capsys, "from-nifti", tmp_path / "m.nii.gz", tmp_path / "t.json", "--labels", "1=a", "2=b", "--as",
         "predictions", "--from-name", "tag", "--to-name", "img", "--model-version", "m1",
         "--data-key", "pic")  # fmt: skip
    task = json.loads((tmp_path / "t.json").read_bytes())[0]
    [prediction] = task["predictions"]
    assert "annotations" not in task
    assert "pic" in task["data"]
    assert prediction["model_version"] == "m1"
    assert {(region["from_name"], region["to_name"]) for region in prediction["result"]} == {("tag", "img")}


REFUSALS: list[tuple[str, Callable[[Path], object]]] = [
    ("mask-labels", lambda path: _call(path, "from-nifti", path / "m.nii.gz", path / "t.json")),
    ("export-cases", lambda path: _call(path, "to-nifti", path / "two.json", path / "o", "--grid", path / "m.nii.gz")),
    ("slices-description", lambda path: _call(path, "to-nifti", path / "two.json", path / "o", "--slices", path / "s")),
]


def _call(path: Path, *arguments: object) -> None:
    call_command("convert_export", *arguments, "--json")


@pytest.mark.parametrize(("code", "call"), REFUSALS)
def test_what_cannot_be_placed_or_named_is_refused(tmp_path: Path, capsys: Any, code: str, call: Any) -> None:
    write_mask(tmp_path / "m.nii.gz", _mask(_grid()))
    (tmp_path / "s").mkdir()
    shape = PicturePlane.of(_grid()).shape
    tasks = [_task(number, _save(_square(0, size=shape)), case=f"C{number}", slice=0) for number in (1, 2)]
    _file(tmp_path, tasks, "two.json")
    with pytest.raises(SystemExit, match="2"):
        call(tmp_path)
    assert json.loads(capsys.readouterr().out)["code"] == code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.nii.gz", "s", "two.json"]


def test_a_json_of_another_grid_beside_a_mask_is_refused(tmp_path: Path) -> None:
    file = _file(tmp_path, [_task(1, _save(_square(0)))])
    export_to_nifti(file, tmp_path / "out", sources=sources_of([], None))
    write_mask(tmp_path / "out" / "task-1.nii.gz", _mask(_grid()))
    with pytest.raises(SystemExit, match="2"):
        call_command("convert_export", "from-nifti", tmp_path / "out" / "task-1.nii.gz", tmp_path / "t.json")
    assert not (tmp_path / "t.json").exists()

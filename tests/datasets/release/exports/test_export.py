"""Exports of a release: verified first, whole or not at all, the same bytes, nothing left out silently."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.release.build import build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions, Missing
from datasets.release.exports.selection import select
from datasets.release.exports.source import ReleaseSource, open_release
from tests.datasets.release.exports.conftest import Export
from tests.datasets.release.exports.phantoms import EMPTY, GRIDS, SETTINGS, WITHOUT_CT, write_cases
from tests.datasets.release.samples import files_of, replace_file, rewrite

ALL = sorted(FORMATS)
WHOLE = ExportOptions(missing=Missing.LEAVE_IMAGE_OUT)

SCHEMAS = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ALL)
def test_the_same_release_gives_the_same_bytes(source: ReleaseSource, tmp_path: Path, name: str) -> None:
    plans = [plan_export(source, FORMATS[name], WHOLE) for _ in range(2)]
    for number, plan in enumerate(plans):
        write_export(plan, tmp_path / str(number))
    first, second = (files_of(tmp_path / str(number)) for number in range(2))
    assert first == second
    record = json.loads(first["export.json"])
    assert record["release"] == {"name": source.name, "version": source.version, "digest": source.digest}
    assert record["labels"] == {"1": "Tumour", "3": "Oedema"}
    assert {*record["cases"]} == {*GRIDS}
    assert [finding["code"] for finding in record["findings"]] == [each.code for each in plans[0].findings]
    assert source.digest in first["README.txt"].decode()
    assert b"Creative Commons" in first["LICENSE"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", sorted({*ALL} - {"dicom-seg"}))
def test_a_missing_image_is_left_out_by_word_only(source: ReleaseSource, name: str) -> None:
    with pytest.raises(RejectedInput, match="ct in 1 of 4") as refusal:
        plan_export(source, FORMATS[name], ExportOptions())
    assert refusal.value.code == "export-images-missing"
    without_image = plan_export(source, FORMATS[name], WHOLE)
    assert [role.name for role in without_image.selection.roles] == ["t1", "t2"]
    assert len(without_image.selection.cases) == 4
    assert "export-image-left-out" in {each.code for each in without_image.findings}
    without_case = plan_export(source, FORMATS[name], ExportOptions(missing=Missing.LEAVE_CASE_OUT))
    assert [role.name for role in without_case.selection.roles] == ["t1", "t2", "ct"]
    assert {case.code for case in without_case.selection.cases} == {*GRIDS} - {WITHOUT_CT}
    assert sorted(code for fold in without_case.selection.folds for code in fold) == sorted({*GRIDS} - {WITHOUT_CT})
    assert WITHOUT_CT in {each.subject for each in without_case.findings if each.code == "export-case-left-out"}
    named = plan_export(source, FORMATS[name], ExportOptions(images=("t2", "t1")))
    assert [role.name for role in named.selection.roles] == ["t2", "t1"]


def test_an_image_that_the_release_has_not_is_refused(source: ReleaseSource) -> None:
    for images in (("flair",), ("t1", "t1")):
        with pytest.raises(RejectedInput, match="t1, t2, ct") as refusal:
            select(source, ExportOptions(images=images), needs_all_images=True)
        assert refusal.value.code == "export-images"
    with pytest.raises(RejectedInput) as refusal:
        select(source, ExportOptions(images=("ct",), missing=Missing.LEAVE_IMAGE_OUT), needs_all_images=True)
    assert refusal.value.code == "export-nothing"


def test_a_damaged_release_is_not_exported(phantom_release: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(phantom_release, tmp_path / phantom_release.name))
    path = next(copy.rglob("*_dseg.nii.gz"))
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    with pytest.raises(RejectedInput, match=path.name) as refusal:
        open_release(copy)
    assert refusal.value.code == "export-release-damaged"
    with pytest.raises(RejectedInput, match="Expected the release of digest"):
        open_release(phantom_release, expected_digest="0" * 64)


FORGED = {
    "name": lambda value: value.update(name="../../thigh"),
    "role": lambda value: [value["roles"][0].update(name="../t1"), _rename_role(value, "t1", "../t1")],
    "label": lambda value: value["labels"][0].update(name="Tumour\n"),
    "value": lambda value: value["labels"][0].update(value=70000),
    "patient": lambda value: value["cases"][0].update(patient="Doe^Jane"),
}


def _rename_role(value: dict, old: str, new: str) -> None:
    for case in value["cases"]:
        case["images"] = {new if role == old else role: path for role, path in case["images"].items()}
        case["voxels"] = {new if role == old else role: path for role, path in case["voxels"].items()}
        case["drawn_role"] = new if case["drawn_role"] == old else case["drawn_role"]


@pytest.mark.parametrize("what", FORGED)
def test_names_of_a_stranger_s_release_come_into_no_path_and_no_header(
    phantom_release: Path, tmp_path: Path, what: str
) -> None:
    copy = Path(shutil.copytree(phantom_release, tmp_path / "forged"))
    rewrite(copy, FORGED[what])
    with pytest.raises(RejectedInput):
        open_release(copy)


def test_a_case_with_a_path_for_a_code_is_refused(phantom_release: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(phantom_release, tmp_path / "forged"))

    def change(value: dict) -> None:
        value["cases"][0]["case"] = "../../etc"

    rewrite(copy, change)
    splits = json.loads((copy / "splits.json").read_text())
    splits["folds"] = [["../../etc" if code == "sub-0001_ses-1" else code for code in fold] for fold in splits["folds"]]
    replace_file(copy, "splits.json", json.dumps(splits).encode())
    with pytest.raises(RejectedInput) as refusal:
        open_release(copy)
    assert refusal.value.code == "export-codes"


def test_nothing_is_written_over_or_into_a_release(source: ReleaseSource, tmp_path: Path) -> None:
    plan = plan_export(source, FORMATS["monai"], WHOLE)
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place, code in (("there", "export-exists"), ("link", "export-exists")):
        with pytest.raises(RejectedInput) as refusal:
            write_export(plan, tmp_path / place)
        assert refusal.value.code == code
    before = {path: sha256_of_file(path) for path in source.folder.rglob("*") if path.is_file()}
    with pytest.raises(RejectedInput) as refusal:
        write_export(plan, source.folder / "exports" / "monai")
    assert refusal.value.code == "export-in-release"
    assert {path: sha256_of_file(path) for path in source.folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ALL)
def test_an_export_that_breaks_off_leaves_nothing(source: ReleaseSource, tmp_path: Path, name: str) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_export(plan_export(source, FORMATS[name], WHOLE), tmp_path / "out", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_of_two_exports_to_one_place_the_second_is_told(source: ReleaseSource, tmp_path: Path) -> None:
    plan = plan_export(source, FORMATS["monai"], WHOLE)
    first: list[dict[str, bytes]] = []

    def another(done: int, total: int) -> None:
        write_export(plan, tmp_path / "out")
        first.append(files_of(tmp_path / "out"))

    with pytest.raises(RejectedInput) as refusal:
        write_export(plan, tmp_path / "out", progress=another)
    assert refusal.value.code == "export-exists"
    assert [files_of(tmp_path / "out")] == first
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("schema", ["schema_1", "schema_2"])
@pytest.mark.parametrize("name", ALL)
def test_releases_of_former_schemas_are_exported(tmp_path: Path, schema: str, name: str) -> None:
    former = open_release(SCHEMAS / schema / "thigh-tumours-1.2.0")
    write_export(plan_export(former, FORMATS[name], ExportOptions()), tmp_path / "out")
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert {*record["cases"]} == {"C0001", "C0002", "C0005"}
    assert record["images"] == {"t1": "t1", "t2": "t2"}
    assert record["labels"] == {"1": "Tumour"}
    assert (tmp_path / "out" / "LICENSE").exists()


def test_a_release_of_one_fold_says_so(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, complete=True)
    release = build_release(cases, replace(SETTINGS, folds=1), tmp_path / "out").folder
    findings = plan_export(open_release(release), FORMATS["nnunet"], ExportOptions()).findings
    assert "export-one-fold" in {each.code for each in findings}


def test_every_case_of_the_phantoms_is_what_the_tests_count_on(source: ReleaseSource, export: Export) -> None:
    assert {case.code for case in source.cases if case.is_empty} == {EMPTY}
    assert {case.code for case in source.cases if "ct" not in case.images} == {WITHOUT_CT}
    assert export("monai", missing=Missing.LEAVE_IMAGE_OUT).is_dir()

"""MONAI's own function loads the datalist, with folds that keep patients apart."""

from dataclasses import replace
from pathlib import Path

from monai.data import load_decathlon_datalist

from datasets.release.build import build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions, Missing
from datasets.release.exports.source import ReleaseSource, open_release
from tests.datasets.release.exports.conftest import Export
from tests.datasets.release.samples import SETTINGS, write_cases


def _loaded(folder: Path, release: Path) -> list[dict]:
    return load_decathlon_datalist(
        str(folder / "datalist.json"), is_segmentation=True, data_list_key="training", base_dir=str(release)
    )


def test_monai_loads_the_list_and_finds_every_file(export: Export, source: ReleaseSource) -> None:
    entries = _loaded(export("monai", missing=Missing.LEAVE_IMAGE_OUT), source.folder)
    assert [entry["case"] for entry in entries] == [case.code for case in source.cases]
    for entry, case in zip(entries, source.cases, strict=True):
        assert [Path(path) for path in entry["image"]] == [source.folder / case.images[role] for role in ("t1", "t2")]
        assert Path(entry["label"]) == source.folder / case.mask
        assert all(Path(path).exists() for path in (*entry["image"], entry["label"]))


def test_one_image_a_case_is_no_list(export: Export, source: ReleaseSource) -> None:
    entries = _loaded(export("monai", images=("t2",)), source.folder)
    assert [Path(entry["image"]) for entry in entries] == [source.folder / case.images["t2"] for case in source.cases]


def test_folds_are_the_suggested_ones(tmp_path: Path) -> None:
    release = build_release(write_cases(tmp_path), replace(SETTINGS, folds=3), tmp_path / "r").folder
    source = open_release(release)
    write_export(plan_export(source, FORMATS["monai"], ExportOptions()), tmp_path / "out")
    entries = _loaded(tmp_path / "out", release)
    for number, fold in enumerate(source.folds):
        assert sorted(entry["case"] for entry in entries if entry["fold"] == number) == sorted(fold)
    folds_of = {}
    for entry in entries:
        folds_of.setdefault(entry["patient"], set()).add(entry["fold"])
    assert all(len(folds) == 1 for folds in folds_of.values())

"""A crash at whatever file operation of a build leaves the old or the new release whole; so it does with an export."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.part_folder import remove_remains
from datasets.release.build import build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.source import open_release
from datasets.release.settings import ReleaseSettings
from datasets.release.verify import verify_release
from tests.datasets.release.describing.samples import PUBLICATION
from tests.datasets.release.samples import SETTINGS, files_of, write_case
from tests.datasets.support.crashes import Crash, crash_at, file_operations


@pytest.mark.slow
@pytest.mark.parametrize("how", Crash)
@pytest.mark.parametrize("takes_over", [False, True], ids=["written", "taken over"])
def test_a_crash_at_any_file_operation_leaves_the_whole_release_or_nothing(
    tmp_path: Path, how: Crash, takes_over: bool
) -> None:
    """Beside a former version, which stays as it was; and the next build works."""
    out, case = tmp_path / "out", write_case(tmp_path, 1)
    former = build_release([case], _version("1.0.0"), out).folder
    before = files_of(former)
    wanted = _version("1.1.0")

    def build() -> Path:
        return build_release([case], wanted, out, earlier=former if takes_over else None).folder

    count = file_operations(tmp_path, build)
    assert count > 40
    whole = files_of(out / "thigh-tumours-1.1.0")
    assert {"croissant.json", "datacite.json", "CITATION.cff", "verify.py", "README.html"} <= set(whole)
    for number in range(1, count + 1):
        _take_away(out / "thigh-tumours-1.1.0")
        is_built = crash_at(tmp_path, build, number, how)
        assert files_of(former) == before, number
        assert files_of(out / "thigh-tumours-1.1.0") in ((whole,) if is_built else ({}, whole)), number
        if how is Crash.FULL_DISK:
            assert not list(out.glob(".*")), number
        remove_remains(out)
        assert not list(out.glob(".part-*")), number
    assert verify_release(build()).is_sound


@pytest.mark.slow
@pytest.mark.parametrize("how", Crash)
@pytest.mark.parametrize("name", FORMATS)
def test_a_crash_at_any_file_operation_leaves_the_whole_export_or_nothing(
    tmp_path: Path, how: Crash, name: str
) -> None:
    """Beside the release, which stays as it was. Of hundreds of pictures, all written alike, some stand for all."""
    small = np.diag([0.6, 0.6, 1.0, 1.0])  # in MSTT-199's millimetres few slices, each of which is a file
    case = write_case(tmp_path, 1, affine=small)
    release = open_release(build_release([case], SETTINGS, tmp_path / "releases").folder)
    before, out = files_of(release.folder), tmp_path / "out"
    out.mkdir()
    write_export(plan_export(release, FORMATS[name], ExportOptions()), out / "first")  # loads what is slow to load
    whole = files_of(out / "first")

    def export() -> None:
        write_export(plan_export(release, FORMATS[name], ExportOptions()), out / "other")

    count = file_operations(out, export)
    assert count > len(whole)
    assert files_of(out / "other") == whole
    for number in sorted({*range(1, count + 1, 1 + count // 100), *range(count - 15, count + 1)}):
        _take_away(out / "other")
        is_written = crash_at(out, export, number, how)
        assert files_of(out / "other") in ((whole,) if is_written else ({}, whole)), number
        if how is Crash.FULL_DISK:
            assert not list(out.glob(".*")), number
        remove_remains(out)
        assert not list(out.glob(".part-*")), number
    assert files_of(release.folder) == before


def _version(version: str) -> ReleaseSettings:
    return replace(SETTINGS, version=version, publication=PUBLICATION)


def _take_away(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)

"""verify_release and compare_releases on folders alone: pytest lets none of these tests reach a database."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.release.build import build_release
from tests.annotation_backend.support.arguments import run_command
from tests.datasets.release.samples import CODES, SETTINGS, files_of, sample_path, write_case, write_cases


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two versions: a case left, and another's mask became empty."""
    folder = tmp_path_factory.mktemp("releases")
    old = build_release(write_cases(folder / "old")[:3], SETTINGS, folder).folder
    cases = [write_case(folder / "new", 1, empty=True), write_case(folder / "new", 2)]
    return old, build_release(cases, replace(SETTINGS, version="1.3.0"), folder).folder


def test_a_sound_release_is_verified(releases: tuple[Path, Path], tmp_path: Path) -> None:
    status, document, said = run_command("verify_release", releases[0], "--state", tmp_path / "state")
    assert (status, document["findings"], document["files_left"]) == (0, [], 0)
    assert document["files"] == len(files_of(releases[0]))
    assert document["digest"] in said
    assert (tmp_path / "state").exists()
    assert run_command("verify_release", releases[0], "--digest", document["digest"])[0] == 0
    assert run_command("verify_release", releases[0], "--digest", "0" * 64)[0] == 1


def test_time_that_is_over_asks_to_be_run_again(releases: tuple[Path, Path]) -> None:
    status, document, said = run_command("verify_release", releases[0], "--seconds", "1e-9")
    assert (status, document["code"]) == (3, "verification-unfinished")
    assert f"{len(files_of(releases[0]))} files" in said


def test_whoever_has_both_versions_proves_that_withdrawn_cases_are_absent(tmp_path: Path) -> None:
    cases = [write_case(tmp_path, 1), write_case(tmp_path, 4)]
    old = build_release(cases, SETTINGS, tmp_path).folder
    without = replace(SETTINGS, version="1.2.1", withdrawn=(CODES[0],))
    new = build_release(cases[1:], without, tmp_path).folder
    status, document, said = run_command("verify_withdrawal", old, new)
    assert (status, document["proven"], document["withdrawn"]) == (0, True, [CODES[0]])
    assert "3 volume(s) of 1 withdrawn case(s) were looked for by their voxels among the 3" in said
    assert run_command("verify_withdrawal", new, old)[1]["code"] == "withdrawn-unknown"
    thief = replace(cases[0], code=CODES[1], sources={})
    stolen = build_release([*cases[1:], thief], replace(without, version="1.2.2"), tmp_path).folder
    status, document, said = run_command("verify_withdrawal", old, stolen)
    assert (status, document["proven"], len(document["found"])) == (1, False, 3)
    assert f"{CODES[1]} (t1) is {CODES[0]} (t1). [withdrawn-voxels]" in said
    (new / sample_path(CODES[3], "t1")).write_bytes(b"")
    assert run_command("verify_withdrawal", old, new)[1]["code"] == "file-changed"


@pytest.fixture
def damaged(releases: tuple[Path, Path]) -> Iterator[Path]:
    path = releases[0] / sample_path(CODES[0], "t1")
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    yield releases[0]
    path.write_bytes(content)


def test_damage_is_a_finding_also_when_time_is_over(damaged: Path) -> None:
    status, document, _ = run_command("verify_release", damaged)
    assert (status, len(document["findings"])) == (1, 1)
    assert "file-truncated" in document["findings"][0]
    (damaged / "notes.txt").write_text("x")
    status, document, _ = run_command("verify_release", damaged, "--seconds", "1e-9")
    (damaged / "notes.txt").unlink()
    assert status == 1
    assert ["file-extra" in finding or "are left" in finding for finding in document["findings"]] == [True, True]


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--seconds", "0"], "seconds"), (["--state", "README.md"], "state-inside")]
)
def test_wrong_usage(
    releases: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: str
) -> None:
    monkeypatch.chdir(releases[0])
    status, document, _ = run_command("verify_release", ".", *arguments)
    assert (status, document["code"]) == (2, code)


def test_two_versions_are_compared_with_a_report(releases: tuple[Path, Path], tmp_path: Path) -> None:
    status, document, said = run_command("compare_releases", *releases, "--out", tmp_path / "report")
    assert (status, document["findings"]) == (0, [])
    assert [case["case"] for case in document["changed"]] == [CODES[0]]
    assert document["left"] == [{"case": CODES[2], "is_withdrawn": False}]
    assert "1 changed, 1 left, 1 the same" in said
    written = files_of(tmp_path / "report")
    assert json.loads(written["comparison.json"]) == document
    assert {"comparison.html", "cases.csv", "masks.csv", f"pictures/{CODES[0]}-label-1.png"} <= set(written)
    assert run_command("compare_releases", *releases, "--out", tmp_path / "report")[0] == 0
    assert files_of(tmp_path / "report") == written
    assert run_command("compare_releases", *releases)[1] == document


def test_a_report_never_lies_in_a_release(releases: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    before = files_of(releases[0])
    for out in (releases[0], releases[1] / "report", tmp_path / "file"):
        status, document, _ = run_command("compare_releases", *releases, "--out", out)
        assert (status, document["code"]) == (2, "report-folder")
    assert files_of(releases[0]) == before


def test_no_release_is_refused(releases: tuple[Path, Path], tmp_path: Path) -> None:
    assert run_command("compare_releases", releases[0], tmp_path / "none")[1]["code"] == "release-missing"
    assert run_command("compare_releases", tmp_path, releases[0])[1]["code"] == "release-unsound"

"""What is missing, extra, renamed or doubled in a folder, by name, also among many files."""

import hashlib
import unicodedata
from pathlib import Path

import pytest

from datasets.release.verify import verify_release
from tests.datasets.release.samples import CODES, rewrite, sample_path


def _found(release: Path) -> set[tuple[str, str]]:
    return {(each.code, each.subject) for each in verify_release(release).findings}


@pytest.mark.slow
def test_one_missing_of_ten_thousand_files_is_named(release: Path) -> None:
    names = [f"more/{number // 100:02}/{number:05}.txt" for number in range(10_000)]
    entries = []
    for name in names:
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        content = name.encode()
        (release / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        entries.append({"path": name, "sha256": digest, "bytes": len(content), "media_type": "text/plain"})
    rewrite(release, lambda value: value["files"].extend(entries))
    report = verify_release(release)
    assert report.is_sound
    assert report.files > 10_000
    (release / names[4711]).unlink()
    assert _found(release) == {("file-missing", "more/47/04711.txt")}
    (release / names[4712]).rename(release / "more" / "gone.txt")
    assert _found(release) == {("file-missing", "more/47/04711.txt"), ("file-renamed", "more/47/04712.txt")}


@pytest.mark.parametrize("name", ["readme.md", "SUB-0001/ses-1/x.txt", "Verify.py"])
def test_a_file_that_is_another_s_case_twin(release: Path, name: str) -> None:
    (release / name).parent.mkdir(parents=True, exist_ok=True)
    (release / name).write_bytes(b"x")
    is_twin = name != "SUB-0001/ses-1/x.txt"
    assert _found(release) == {("file-twin" if is_twin else "file-extra", name)}


def test_two_extra_files_that_are_unicode_twins(release: Path) -> None:
    names = [unicodedata.normalize(form, "é.txt") for form in ("NFC", "NFD")]
    for name in names:
        (release / name).write_bytes(b"x")
    if len(list(release.glob("*.txt"))) < 2:
        pytest.skip("THIS FILE SYSTEM TAKES BOTH NAMES FOR ONE: this test did not run.")
    assert _found(release) == {("file-twin", name) for name in names}


def test_a_twin_in_the_lists_and_in_the_folder(release: Path) -> None:
    """On a system that tells case apart both are there, on another one of them overwrote the other."""
    (release / "readme.md").write_bytes((release / "README.md").read_bytes())

    def add(value: dict) -> None:
        [entry] = [each for each in value["files"] if each["path"] == "README.md"]
        value["files"].append({**entry, "path": "readme.md"})

    rewrite(release, add)
    assert _found(release) == {("path-twin", "manifest.json"), ("path-twin", "SHA256SUMS")}


def test_of_two_copies_one_is_the_renamed_file(release: Path) -> None:
    path = sample_path(CODES[0], "t1")
    content = (release / path).read_bytes()
    (release / path).unlink()
    for name in ("one.nii.gz", "two.nii.gz"):
        (release / name).write_bytes(content)
    assert _found(release) == {("file-renamed", path), ("file-extra", "two.nii.gz")}
    report = verify_release(release)
    assert "'one.nii.gz'" in next(each.message for each in report.findings if each.code == "file-renamed")


def test_two_missing_files_of_the_same_bytes(release: Path) -> None:
    paths = [sample_path(code, "t1").replace(".nii.gz", ".json") for code in CODES[:2]]
    content = {(release / path).read_bytes() for path in paths}
    assert len(content) == 1
    (release / paths[0]).rename(release / "one.json")
    (release / paths[1]).unlink()
    assert _found(release) == {("file-renamed", paths[0]), ("file-missing", paths[1])}

"""``verify.py`` as it lies in every release: one file, nothing but Python, and the findings of `verify_release`."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets.formats.nifti import encode, read_volume
from datasets.release.verification.script import script
from datasets.release.verify import verify_release
from tests.datasets.release.samples import CODES, oblique_affine, replace_file, rewrite, sample_path

FORMER = [Path(__file__).parents[1] / f"schema_{number}" / "thigh-tumours-1.2.0" for number in (1, 2)]
_FOLDERS = (Path("/usr/bin"), Path("/usr/local/bin"), *Path.home().glob(".pyenv/versions/*/bin"))
PYTHONS = {
    found[1]: str(path)
    for folder in _FOLDERS
    for path in sorted(folder.glob("python3.*"))
    if (found := re.fullmatch(r"python3\.(\d+)", path.name))
}
"""Every Python of this machine, by its second number."""


def _run(folder: Path, *arguments: str | Path, python: str = sys.executable) -> "subprocess.CompletedProcess[str]":
    """Isolated, without site-packages: nothing of ours can be imported."""
    file = folder / "verify.py"
    return subprocess.run([python, "-I", "-S", file, *arguments], capture_output=True, text=True, check=False)


def _document(done: "subprocess.CompletedProcess[str]") -> dict:
    return json.loads(done.stdout)


def test_it_lies_in_every_release_and_is_always_the_same(sound_release: Path) -> None:
    assert (sound_release / "verify.py").read_bytes() == script()
    script.cache_clear()
    assert (sound_release / "verify.py").read_bytes() == script()
    manifest = json.loads((sound_release / "manifest.json").read_bytes())
    assert "verify.py" in {entry["path"] for entry in manifest["files"]}
    assert "verify.py" in (sound_release / ".bidsignore").read_text().splitlines()


def test_it_is_made_of_python_alone(tmp_path: Path) -> None:
    tree = ast.parse(script(), feature_version=(3, 9))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {str(name).partition(".")[0] for name in modules} <= sys.stdlib_module_names
    (tmp_path / "verify.py").write_bytes(script())
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--target-version", "py39"]
    checked = subprocess.run(
        [*command, "--select", "F,E9", tmp_path / "verify.py"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
@pytest.mark.parametrize("minor", [minor for minor in sorted(PYTHONS, key=int) if int(minor) >= 9])
def test_it_runs_in_every_python_and_reads_every_schema(sound_release: Path, tmp_path: Path, minor: str) -> None:
    python = PYTHONS[minor]
    (tmp_path / "verify.py").write_bytes(script())
    here = _run(sound_release, "--json", python=python)
    assert (here.returncode, _document(here)["sound"]) == (0, True), here.stderr
    for folder in FORMER:
        done = _run(tmp_path, folder, "--json", python=python)
        assert (done.returncode, _document(done)["cases"]) == (0, 3), done.stderr
    assert _run(tmp_path, python=python).returncode == 1


def test_an_older_python_is_told_so_in_a_sentence(sound_release: Path) -> None:
    if "8" not in PYTHONS:
        pytest.skip("NO PYTHON 3.8 ON THIS MACHINE: this test did not run.")
    done = _run(sound_release, python=PYTHONS["8"])
    assert (done.returncode, done.stdout) == (3, "")
    assert "Python 3.9 or later" in done.stderr
    assert "Traceback" not in done.stderr


def _another_grid(release: Path) -> None:
    name = sample_path(CODES[2], "t1")
    data = np.asarray(read_volume(release / name).data)
    replace_file(release, name, encode(data, oblique_affine(spacing=(0.5, 0.6, 4.1))))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda release: (release / sample_path(CODES[0], "t1")).unlink(),
    "extra": lambda release: (release / "notes.txt").write_text("x"),
    "changed": lambda release: (release / "README.md").write_text("other"),
    "linked": lambda release: (release / "all").symlink_to(release),
    "no-manifest": lambda release: (release / "manifest.json").unlink(),
    "escape": lambda release: rewrite(release, lambda value: value["files"][0].update(path="../x")),
    "leak": lambda release: rewrite(release, lambda value: [case.update(patient="P1") for case in value["cases"]]),
    "grid": _another_grid,
    "odd-name": lambda release: (release / "a\n\x1b[31m\u202eb").write_text("x"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_it_finds_what_the_command_finds(release: Path, damage: Callable[[Path], object]) -> None:
    (release.parent / "verify.py").write_bytes(script())
    damage(release)
    done = _run(release.parent, release, "--json")
    assert done.returncode == 1
    assert _document(done) == verify_release(release).as_dict()
    assert _document(done)["findings"]
    assert all(each["message"] in done.stderr for each in _document(done)["findings"])


def test_it_says_what_is_left_and_goes_on(release: Path, tmp_path: Path) -> None:
    hurried = _run(release, "--json", "--seconds", "1e-9", "--state", tmp_path / "state")
    assert hurried.returncode == 3
    document = _document(hurried)
    assert (document["sound"], document["files"], document["findings"]) == (False, 0, [])
    assert document["left"]["files"] == len([path for path in release.rglob("*") if path.is_file()])
    assert document["left"]["bytes"] == sum(path.stat().st_size for path in release.rglob("*") if path.is_file())
    assert "Time is over" in hurried.stderr
    assert _run(release, "--state", tmp_path / "state").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seconds", "0"], "above 0"),
        (["--seconds", "nan"], "above 0"),
        (["--seconds", "soon"], "invalid float"),
        (["--nothing"], "unrecognized"),
        (["--state", "state"], "lies in the release"),
        (["--state", "README.md"], "lies in the release"),
        (["--state", "../other"], "something else"),
        (["--state", "../none/state"], "No such file"),
    ],
)
def test_wrong_usage_is_a_sentence_and_changes_nothing(release: Path, arguments: list[str], words: str) -> None:
    (release.parent / "other").write_text("mine\n")
    before = {path: path.stat().st_mtime_ns for path in release.parent.rglob("*")}
    file = release / "verify.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", file, *arguments], capture_output=True, text=True, check=False, cwd=release
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in release.parent.rglob("*")} == before


def test_the_publisher_s_digest(release: Path) -> None:
    digest = json.loads((release / "manifest.json").read_bytes())["release_digest"]
    assert _run(release, "--digest", digest).returncode == 0
    replace_file(release, "README.md", b"# Other\n")
    assert _run(release).returncode == 0
    forged = _run(release, "--digest", digest)
    assert forged.returncode == 1
    assert "release-digest" in forged.stderr


def test_a_folder_that_is_none(tmp_path: Path, sound_release: Path) -> None:
    done = _run(sound_release, tmp_path / "absent", "--json")
    assert done.returncode == 1
    assert [each["code"] for each in _document(done)["findings"]] == ["release-missing"]


def test_on_a_read_only_medium(release: Path, tmp_path: Path) -> None:
    """A mount that takes no write, not even from root, and the state beside it."""
    state = tmp_path / "state" / "seen"
    state.parent.mkdir()
    mounted = f"mount --bind '{release}' '{release}' && mount -o remount,ro,bind '{release}' '{release}'"
    probe = (
        subprocess.run(
            ["unshare", "-m", "sh", "-c", f"{mounted} && ! touch '{release}/x'"], capture_output=True, check=False
        )
        if shutil.which("unshare")
        else None
    )
    if probe is None or probe.returncode:
        pytest.skip("NO RIGHT TO MOUNT ON THIS MACHINE: this test did not run.")
    command = f"{mounted} && exec '{sys.executable}' -I -S '{release}/verify.py' --json --state '{state}'"
    for _ in range(2):
        done = subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, _document(done)["sound"]) == (0, True), done.stderr

"""What was seen whole is not read again; an interrupted verification goes on; time is kept."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.release.verify import verify_release
from tests.datasets.release.samples import CODES, files_of, rewrite, sample_path
from tests.datasets.support.opened_files import opened_files

LISTS = {"manifest.json", "splits.json"}
"""Files that are read each time, as they say what belongs there."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def aged(release: Path) -> Path:
    """A release that was written a while ago: a file that changed in this very second is never believed."""
    for path in release.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return release


def _read(release: Path, **options: object) -> set[str]:
    """Paths of the files that a verification reads; it must be sound."""
    with opened_files() as opened:
        assert verify_release(release, **options).is_sound  # type: ignore[arg-type]
    return {path.relative_to(release).as_posix() for path in opened if path.is_relative_to(release)}


def test_what_was_seen_whole_is_not_read_again(aged: Path, state: Path) -> None:
    assert _read(aged, state=state) == set(files_of(aged))
    assert _read(aged, state=state) == LISTS | {"SHA256SUMS"}
    assert _read(aged, state=state, anew=True) == set(files_of(aged))
    assert _read(aged) == set(files_of(aged))


def test_a_file_that_was_touched_is_read_again(aged: Path, state: Path) -> None:
    verify_release(aged, state=state)
    path = sample_path(CODES[0], "t1")
    os.utime(aged / path, (1_700_000_001, 1_700_000_001))
    assert _read(aged, state=state) == {*LISTS, "SHA256SUMS", path}
    content = bytearray((aged / path).read_bytes())
    content[40] ^= 1
    (aged / path).write_bytes(content)
    for _ in range(2):
        assert [each.code for each in verify_release(aged, state=state).findings] == ["file-changed"]


def test_a_copy_in_the_place_of_a_file_is_read(aged: Path, state: Path) -> None:
    """Same size and same time, as copying programs leave them, but another place on the disk."""
    verify_release(aged, state=state)
    path = sample_path(CODES[1], "mask")
    content = bytearray((aged / path).read_bytes())
    content[-1] ^= 1
    (aged / "copy").write_bytes(content)
    os.utime(aged / "copy", (1_700_000_000, 1_700_000_000))
    (aged / "copy").replace(aged / path)
    assert [each.code for each in verify_release(aged, state=state).findings] == ["file-changed"]


def test_a_file_that_changed_within_its_time_stamp_is_never_believed(release: Path, state: Path) -> None:
    now = time.time()
    for path in release.rglob("*"):
        os.utime(path, (now + 3600, now + 3600))
    assert verify_release(release, state=state).is_sound
    assert _read(release, state=state) == set(files_of(release))


def test_what_is_wrong_inside_or_between_files_is_found_each_time(aged: Path, state: Path) -> None:
    rewrite(aged, lambda value: value["cases"][0]["voxels"].update(t1="0" * 64))
    rewrite(aged, lambda value: value["cases"][1].update(shape=[9, 6, 5]))
    rewrite(aged, lambda value: value["labels"].clear())
    found = [sorted((each.code, each.subject) for each in verify_release(aged, state=state).findings) for _ in "12"]
    assert found[0] == found[1]
    assert {code for code, _ in found[0]} == {"voxels-changed", "grid-mismatch", "mask-labels"}


def test_another_manifest_over_files_that_were_seen(aged: Path, state: Path) -> None:
    verify_release(aged, state=state)
    path = sample_path(CODES[0], "mask")

    def change(value: dict) -> None:
        [entry] = [each for each in value["files"] if each["path"] == path]
        entry["sha256"] = "0" * 64

    rewrite(aged, change)
    assert [(each.code, each.subject) for each in verify_release(aged, state=state).findings] == [
        ("file-changed", path)
    ]


@pytest.mark.parametrize("seconds", [1e-9, 3600.0])
def test_time_is_kept_and_what_is_left_is_said(aged: Path, state: Path, seconds: float) -> None:
    report = verify_release(aged, seconds=seconds, state=state)
    whole = files_of(aged)
    assert report.files + report.files_left == len(whole)
    assert report.bytes + report.bytes_left == sum(map(len, whole.values()))
    assert report.findings == ()
    assert report.is_sound is (seconds > 1)
    assert verify_release(aged, state=state).is_sound


def test_what_is_missing_is_said_although_time_is_over(aged: Path) -> None:
    (aged / sample_path(CODES[0], "t1")).rename(aged / "away")
    found = verify_release(aged, seconds=1e-9).findings
    assert {(each.code, each.subject) for each in found} == {
        ("file-missing", sample_path(CODES[0], "t1")),
        ("file-extra", "away"),
    }


@pytest.mark.parametrize("content", ["mine\n", '{"schema": "maskloop-seen/9"}\n', "\n", "\0"])
def test_a_file_of_something_else_is_no_state_and_stays(aged: Path, state: Path, content: str) -> None:
    state.write_text(content)
    for anew in (False, True):
        with pytest.raises(RejectedInput, match="state-foreign"):
            verify_release(aged, state=state, anew=anew)
    assert state.read_text() == content


def test_a_state_lies_outside_of_the_release(aged: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(aged)
    for path in (aged / "state", aged / "sub-0001" / "state", tmp_path / "link" / "state"):
        with pytest.raises(RejectedInput, match="state-inside"):
            verify_release(aged, state=path)
    assert verify_release(aged).is_sound


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"path": "README.md"}',
        '{"path": "README.md", "kind": "plain", "mark": [], "sha256": 1, "facts": null}',
        '{"path": "README.md", "kind": "plain", "mark": null, "sha256": null, "facts": 3}',
    ],
)
def test_lines_that_are_none_are_passed_over(aged: Path, state: Path, line: str) -> None:
    verify_release(aged, state=state)
    with state.open("a") as stream:
        stream.write(line)  # without an end, as a writer that is killed leaves it
    assert verify_release(aged, state=state).is_sound
    os.utime(aged / "README.md", (1_700_000_001, 1_700_000_001))
    assert verify_release(aged, state=state).is_sound
    assert _read(aged, state=state) == LISTS | {"SHA256SUMS"}


@pytest.fixture
def large(release: Path) -> Path:
    """With files that take a while."""
    content = os.urandom(1 << 20)
    names = [f"more/{number:03}.bin" for number in range(120)]
    (release / "more").mkdir()
    for name in names:
        (release / name).write_bytes(content)
        os.utime(release / name, (1_700_000_000, 1_700_000_000))
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "media_type": "text/plain"}
    rewrite(release, lambda value: value["files"].extend({"path": name, **entry} for name in names))
    return release


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_verification_goes_on_where_it_was(large: Path, state: Path, sign: signal.Signals) -> None:
    command = [sys.executable, "-I", "-S", large / "verify.py", "--json", "--state", state]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (state.exists() and state.read_text().count("more/") >= 10):
        time.sleep(0.002)
    child.send_signal(sign)
    _, said = child.communicate(timeout=60)
    assert child.returncode == (-sign if sign is signal.SIGKILL else 130), said
    assert "Traceback" not in said
    seen = {json.loads(line).get("path") for line in state.read_text().splitlines()[1:] if line.endswith("}")}
    read = _read(large, state=state)
    assert len([name for name in seen if name and name.startswith("more/")]) >= 10
    assert not {name for name in seen if name} & (read - LISTS - {"SHA256SUMS"})
    assert read | seen - {None} >= set(files_of(large))

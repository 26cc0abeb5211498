"""Folders that are made beside their place: remains of a killed run are removed, folders in use are not."""

import signal
import subprocess
import sys
from pathlib import Path

from datasets.part_folder import part_folder, remove_remains

HOLD = (
    "import sys, pathlib; from datasets.part_folder import part_folder\n"
    "with part_folder(pathlib.Path(sys.argv[1])) as part:\n"
    "    (part / 'image').write_bytes(b'x'); print('ready', flush=True); sys.stdin.read()"
)


def _at_work(home: Path) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_what_a_killed_run_left_is_removed_and_a_living_ones_folder_stays(tmp_path: Path) -> None:
    dead, alive = _at_work(tmp_path), _at_work(tmp_path)
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    assert len(list(tmp_path.iterdir())) == 2
    assert remove_remains(tmp_path) == 1
    assert remove_remains(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 1
    alive.communicate()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_remains_stays(tmp_path: Path) -> None:
    for name in (".part-of-something-else", ".part-abc", "part-abcdefgh"):
        (tmp_path / name).mkdir()
    (tmp_path / ".part-abcdefgh").symlink_to(tmp_path / "part-abcdefgh")
    assert remove_remains(tmp_path) == 0
    assert remove_remains(tmp_path / "absent") == 0
    assert len(list(tmp_path.iterdir())) == 4


def test_a_folder_that_was_moved_to_its_place_stays_there(tmp_path: Path) -> None:
    with part_folder(tmp_path) as part:
        part.rename(tmp_path / "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]

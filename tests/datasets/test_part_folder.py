"""Folders that are made beside their place: remains of a killed run are removed, folders in use are not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from datasets.part_folder import kept_part_folder, part_folder, remove_remains

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


def test_a_kept_folder_stays_for_the_next_run_and_is_one_runs_at_a_time(tmp_path: Path) -> None:
    with kept_part_folder(tmp_path, "work") as part:
        (part / "done").write_bytes(b"x")
        with pytest.raises(BlockingIOError), kept_part_folder(tmp_path, "work"):
            pass
    assert remove_remains(tmp_path) == 0
    with kept_part_folder(tmp_path, "work") as part:
        assert (part / "done").read_bytes() == b"x"
        part.rename(tmp_path / "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_a_kept_folder_of_somebody_else_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / ".part-work").mkdir()
    try:
        os.chown(tmp_path / ".part-work", 4321, -1)
    except PermissionError:
        pytest.skip("only root gives folders away")
    with pytest.raises(PermissionError), kept_part_folder(tmp_path, "work"):
        pass
    (tmp_path / ".part-link").symlink_to(tmp_path)
    with pytest.raises(FileExistsError), kept_part_folder(tmp_path, "link"):
        pass


def test_a_folder_that_was_moved_to_its_place_stays_there(tmp_path: Path) -> None:
    with part_folder(tmp_path) as part:
        part.rename(tmp_path / "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]

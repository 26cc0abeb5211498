"""A release in archives: opened by what strangers have, the same bytes each time, and whole or not there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datasets.errors import RejectedInput, TryAgain
from datasets.files import sha256_of_file
from datasets.part_folder import kept_part_folder
from datasets.release.archives import writing
from datasets.release.archives.pack import pack_release
from datasets.release.verification.script import script
from datasets.release.verify import verify_release
from tests.datasets.release.samples import files_of
from tests.datasets.support.crashes import Crash, crash_at, file_operations

PART = len(script()) + 5000
"""A little more than the largest file takes."""

PROGRAMS = {
    "python": [sys.executable, "-m", "zipfile", "-e", "{}", "."],
    "unzip": ["unzip", "-q", "{}"],
    "bsdtar": ["bsdtar", "-xf", "{}"],
    "7zz": ["7zz", "x", "-bso0", "{}"],
}


@pytest.fixture(scope="module")
def packed(versions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first version in several parts."""
    out = tmp_path_factory.mktemp("packed") / "archives"
    pack_release(versions[0], out, most_bytes=PART)
    return out


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_strangers_have_opens_the_parts_one_by_one(
    versions: tuple[Path, Path], packed: Path, tmp_path: Path, program: str
) -> None:
    command = PROGRAMS[program]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    parts = sorted(packed.glob("*.zip"))
    assert len(parts) > 2
    for part in reversed(parts):
        subprocess.run([word.replace("{}", str(part)) for word in command], cwd=tmp_path, check=True)
    assert files_of(tmp_path / versions[0].name) == files_of(versions[0])
    assert verify_release(tmp_path / versions[0].name).is_sound


def test_no_part_is_larger_than_wanted_and_sums_are_right(packed: Path) -> None:
    assert max(part.stat().st_size for part in packed.glob("*.zip")) <= PART
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=packed, capture_output=True, text=True, check=True)
    assert done.stdout.count("OK") == len(list(packed.glob("*.zip")))


def test_the_readme_s_own_lines_unpack_and_verify(versions: tuple[Path, Path], packed: Path, tmp_path: Path) -> None:
    shutil.copytree(packed, tmp_path / "got")
    lines = (tmp_path / "got" / "README.txt").read_text(encoding="utf-8").splitlines()
    unpack = next(line.partition("for part")[1:] for line in lines if line.startswith("    Python "))
    verify = next(line.strip() for line in lines if "verify.py" in line)
    check = next(line.strip().partition("   ")[0] for line in lines if "sha256sum" in line)
    script = "\n".join(["set -e", check, "".join(unpack), verify])
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path / "got", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files_of(tmp_path / "got" / versions[0].name) == files_of(versions[0])


def test_the_same_release_gives_the_same_bytes(versions: tuple[Path, Path], packed: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(versions[0], tmp_path / "elsewhere"))
    for path in moved.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    pack_release(moved, tmp_path / "again", most_bytes=PART)
    assert files_of(tmp_path / "again") == files_of(packed)


def test_all_in_one(versions: tuple[Path, Path], tmp_path: Path) -> None:
    written = pack_release(versions[0], tmp_path / "one")
    assert [each.name for each in written] == ["thigh-tumours-1.2.0.zip"]
    assert written[0].sha256 == sha256_of_file(tmp_path / "one" / written[0].name)
    assert "1 archive\n" in (tmp_path / "one" / "README.txt").read_text()


def test_what_is_there_or_damaged_or_inside_a_release_is_refused(versions: tuple[Path, Path], tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(versions[0], tmp_path / "damaged"))
    (damaged / "cases.csv").write_bytes(b"x")
    for folder, out, code in (
        (versions[0], tmp_path, "pack-exists"),
        (versions[0], versions[0] / "archives", "pack-in-release"),
        (damaged, tmp_path / "out", "release-unsound"),
    ):
        with pytest.raises(RejectedInput) as refusal:
            pack_release(folder, out)
        assert refusal.value.code == code
    with pytest.raises(RejectedInput, match="part-size"):
        pack_release(versions[0], tmp_path / "out", most_bytes=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]


def test_a_second_run_is_told(versions: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(
        writing, "kept_part_folder", lambda home, name: taken.append(name) or kept_part_folder(home, name)
    )
    pack_release(versions[0], tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    with kept_part_folder(tmp_path, taken[0]), pytest.raises(TryAgain, match="pack-in-work"):
        pack_release(versions[0], tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("how", Crash)
def test_a_crash_at_any_file_operation_leaves_all_archives_or_none_and_the_next_run_goes_on(
    versions: tuple[Path, Path], tmp_path: Path, how: Crash
) -> None:
    out = tmp_path / "home" / "out"

    def pack() -> object:
        try:
            return pack_release(versions[0], out, most_bytes=PART)
        except TryAgain as error:
            raise (error.__cause__ if error.code == "store-full" else error) or error from None

    count = file_operations(tmp_path, pack)
    assert count > 20
    whole = files_of(out)
    for number in range(1, count + 1):
        shutil.rmtree(out.parent)
        is_done = crash_at(tmp_path, pack, number, how)
        assert files_of(out) in ((whole,) if is_done else ({}, whole)), number
        if not out.exists():
            pack()
        assert files_of(out) == whole, number
        assert sorted(path.name for path in out.parent.iterdir()) == ["out"], number


def test_what_another_size_left_is_not_gone_on_with(versions: tuple[Path, Path], packed: Path, tmp_path: Path) -> None:
    """Both sizes give as many parts, under the same names."""
    other = PART + 3000
    pack_release(versions[0], tmp_path / "other", most_bytes=other)
    assert files_of(tmp_path / "other").keys() == files_of(packed).keys()
    assert files_of(tmp_path / "other") != files_of(packed)

    def die(what: str) -> object:
        def show(done: int, total: int, note: float | None = None) -> None:
            if what.startswith("packing") and done > PART + 1000:
                raise KeyError

        return show

    with pytest.raises(KeyError):
        pack_release(versions[0], tmp_path / "out", most_bytes=other, progress_of=die)
    pack_release(versions[0], tmp_path / "out", most_bytes=PART)
    assert files_of(tmp_path / "out") == files_of(packed)


def test_archives_that_were_finished_before_a_kill_are_not_written_again(
    versions: tuple[Path, Path], packed: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    begun: list[int] = []

    class _Killed(BaseException):
        pass

    def die(what: str) -> object:
        def show(done: int, total: int, note: float | None = None) -> None:
            if what.startswith("packing") and done > total / 2:
                raise _Killed

        return show

    with pytest.raises(_Killed):
        pack_release(versions[0], tmp_path / "out", most_bytes=PART, progress_of=die)
    pack_release(
        versions[0],
        tmp_path / "out",
        most_bytes=PART,
        progress_of=lambda what: lambda done, total, note=None: (seen if what[0] == "p" else begun).append(done),
    )
    assert seen[0] > PART / 2
    assert files_of(tmp_path / "out") == files_of(packed)

"""Files that are whole or absent, and their digests."""

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

import datasets.files
from datasets.files import (
    canonical_json,
    is_unchanged,
    locked,
    replaced_when_whole,
    sha256_of_bytes,
    sha256_of_file,
    write_bytes,
    write_json,
)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_digests_of_files_and_bytes(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert sha256_of_file(tmp_path / "file") == sha256_of_bytes(content) == hashlib.sha256(content).hexdigest()


def test_a_known_digest() -> None:
    assert sha256_of_bytes(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "file.nii.gz"
    write_bytes(path, b"old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["image.nii.gz", "C0001.nii.gz", "v1.2.3.nii.gz", "table.csv", "SHA256SUMS"])
def test_the_temporary_file_lies_beside_and_keeps_the_suffixes(tmp_path: Path, name: str) -> None:
    with replaced_when_whole(tmp_path / name) as part:
        assert part.parent == tmp_path
        assert part.name.endswith("".join(Path(name).suffixes[-2:]))
        assert not (tmp_path / name).exists()
        part.write_bytes(b"x")
    assert (tmp_path / name).read_bytes() == b"x"


@pytest.mark.parametrize("old", [None, b"old"])
def test_an_error_leaves_what_was_there(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(path)
    assert (path.read_bytes() if path.exists() else None) == old
    assert list(tmp_path.iterdir()) == ([path] if old else [])


def _interrupted(path: Path) -> None:
    with replaced_when_whole(path) as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(datasets.files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    real_flush, real_replace = datasets.files.flush_to_disk, Path.replace

    def flush(path: Path) -> None:
        steps.append("flush folder" if path.is_dir() else "flush file")
        real_flush(path)

    def replace(self: Path, target: Path) -> Path:
        steps.append("replace")
        return real_replace(self, target)

    monkeypatch.setattr(datasets.files, "flush_to_disk", flush)
    monkeypatch.setattr(Path, "replace", replace)
    write_bytes(tmp_path / "file", b"x")
    assert steps == ["flush file", "replace", "flush folder"]


def test_canonical_json_does_not_depend_on_order() -> None:
    one = canonical_json({"b": [1, 2.5, None], "a": "Ödem"})
    assert one == canonical_json({"a": "Ödem", "b": [1, 2.5, None]})
    assert one == '{\n  "a": "Ödem",\n  "b": [\n    1,\n    2.5,\n    null\n  ]\n}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_canonical_json_has_no_not_a_number(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_unwritable_json_leaves_what_was_there(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}


def test_a_file_is_unchanged_while_it_is_there_with_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    digest = sha256_of_bytes(b"abc")
    assert is_unchanged(file, sha256=digest)
    file.write_bytes(b"abd")
    assert not is_unchanged(file, sha256=digest)
    file.unlink()
    assert not is_unchanged(file, sha256=digest)


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_lock_is_one_processs_also_under_another_name(tmp_path: Path, *, is_folder: bool) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.mkdir() if is_folder else path.touch()
    with locked(path):
        path.rename(other)
        with pytest.raises(BlockingIOError), locked(other):
            pass
        with pytest.raises(FileNotFoundError), locked(path):
            pass
    with locked(other):
        assert not path.exists()

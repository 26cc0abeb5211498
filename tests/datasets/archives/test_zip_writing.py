"""A ZIP archive that is sent without being written: sound, the same from any byte on, and larger than 4 GB."""

import io
import os
import shutil
import subprocess
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.archives import zip_writing
from datasets.archives.zip_writing import MOST_ENDING_BYTES, Archive, ArchivedFile
from datasets.errors import ProgramFault

NAMES = ("README.md", "images/C0001_t1.nii.gz", "empty", "größe/ß.txt")


def _files(folder: Path, contents: list[bytes]) -> list[ArchivedFile]:
    files = []
    for number, content in enumerate(contents):
        path = folder / str(number)
        path.write_bytes(content)
        files.append(ArchivedFile(path, f"r-1/{NAMES[number]}", len(content), zlib.crc32(content)))
    return files


@pytest.fixture
def files(tmp_path: Path) -> list[ArchivedFile]:
    return _files(tmp_path, [b"words\n", os.urandom(3_000_000), b"", b"x" * 70_000])


def _whole(archive: Archive) -> bytes:
    return b"".join(archive.read(0, archive.size))


def _contents(written: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(written)) as bundle:
        assert bundle.testzip() is None
        return {info.filename: bundle.read(info) for info in bundle.infolist()}


def test_an_archive_is_whole_and_of_the_size_that_was_said(files: list[ArchivedFile], tmp_path: Path) -> None:
    archive = Archive(files)
    written = _whole(archive)
    assert len(written) == archive.size
    assert _contents(written) == {file.name: file.source.read_bytes() for file in files}
    if shutil.which("unzip"):
        (tmp_path / "all.zip").write_bytes(written)
        assert (
            subprocess.run(["unzip", "-tq", "all.zip"], cwd=tmp_path, capture_output=True, check=False).returncode == 0
        )


def test_an_archive_beyond_four_gigabytes_says_so_in_64_bits(
    files: list[ArchivedFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 50_000)
    written = _whole(Archive(files))
    assert b"PK\6\6" in written
    assert b"PK\6\7" in written
    assert _contents(written) == {file.name: file.source.read_bytes() for file in files}


def test_a_file_of_five_gigabytes_is_found_where_it_is_said_to_be(tmp_path: Path) -> None:
    large, last = tmp_path / "large", b"behind it"
    with large.open("wb") as stream:
        stream.truncate(5 << 30)
    (tmp_path / "last").write_bytes(last)
    behind = ArchivedFile(tmp_path / "last", "last", len(last), zlib.crc32(last))
    archive = Archive([ArchivedFile(large, "large", 5 << 30, 0), behind])
    tail = b"".join(archive.read(archive.size - 4096, archive.size))
    found = zipfile.ZipFile(_Far(tail, archive.size))
    infos = {info.filename: info for info in found.infolist()}
    assert infos["large"].file_size == 5 << 30
    assert found.read("last") == last


class _Far(io.RawIOBase):
    """The end of a long file, as a file: zeros before it."""

    def __init__(self, tail: bytes, size: int) -> None:
        self._tail, self._size, self._at = tail, size, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        start = self._at - (self._size - len(self._tail))
        stop = len(self._tail) if count < 0 else start + count
        content = self._tail[start:stop]
        self._at += len(content)
        return content


@settings(max_examples=100, deadline=None)
@given(cuts=st.lists(st.integers(0, 4000), max_size=6), sizes=st.lists(st.integers(0, 900), min_size=0, max_size=4))
def test_parts_of_an_archive_put_together_are_the_archive(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], sizes: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    archive = Archive(_files(folder, [os.urandom(size) for size in sizes]))
    edges = sorted({0, archive.size, *(cut % (archive.size + 1) for cut in cuts)})
    parts = [b"".join(archive.read(*pair)) for pair in pairwise(edges)]
    assert b"".join(parts) == _whole(archive)


def test_a_file_that_changes_while_it_is_sent_ends_the_download_before_its_last_byte(
    files: list[ArchivedFile],
) -> None:
    archive = Archive(files)
    files[1].source.write_bytes(os.urandom(3_000_000))
    sent: list[bytes] = []
    with pytest.raises(ProgramFault, match="release-changed"):
        sent.extend(archive.read(0, archive.size))
    assert 0 < sum(map(len, sent)) < 3_000_000
    files[1].source.write_bytes(b"short")
    with pytest.raises(ProgramFault, match="release-changed"):
        _whole(archive)


def test_bytes_in_memory_are_packed_like_a_file(files: list[ArchivedFile]) -> None:
    named = [ArchivedFile(file.source.read_bytes(), file.name, file.size).with_checksum() for file in files]
    assert _whole(Archive(named)) == _whole(Archive(files))


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(0, 900), max_size=4), limit=st.sampled_from([100, zipfile.ZIP64_LIMIT]))
def test_an_archive_is_never_larger_than_its_files_said(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int
) -> None:
    files = _files(tmp_path_factory.mktemp("sizes"), [b"x" * size for size in sizes])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(zipfile, "ZIP64_LIMIT", limit)
        said = sum(file.most_bytes for file in files) + MOST_ENDING_BYTES
        assert said - 28 * len(files) - 76 <= Archive(files).size <= said


def test_portions_are_small_whatever_the_release(files: list[ArchivedFile]) -> None:
    assert max(map(len, Archive(files).read(0, Archive(files).size))) <= zip_writing.PORTION_BYTES

"""Published to each kind of place, and back: the same bytes, nothing twice, nothing over anything else."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datasets.errors import MaskloopError, RejectedInput, TryAgain
from datasets.file_tree import FileTree
from datasets.files import sha256_of_file
from datasets.part_folder import kept_part_folder
from datasets.public.recognise import recognised
from datasets.release.archives.pack import pack_release
from datasets.release.correcting.beside import Beside, put_beside
from datasets.release.exports.source import open_release
from datasets.release.manifest_reading import read_manifest
from datasets.release.paths import MANIFEST_NAME, SUMS_NAME
from datasets.release.stores.address import Address, read_address
from datasets.release.stores.fetch import fetch_release
from datasets.release.stores.filling import Transfer
from datasets.release.stores.opening import opened_to_write
from datasets.release.stores.upload import upload_release
from datasets.release.verify import verify_release
from tests.datasets.release.samples import files_of


def test_a_release_comes_back_as_it_was(sound_release: Path, home: str, tmp_path: Path) -> None:
    address = read_address(home)
    done = upload_release(sound_release, address)
    whole = files_of(sound_release)
    assert (done.title, done.files, done.was_there) == (sound_release.name, len(whole), False)
    assert done.bytes == sum(map(len, whole.values()))
    place = address.below(done.title)
    back = fetch_release(place, tmp_path / "here" / "again", digest=done.digest)
    assert (back.digest, back.files_sent, back.was_there) == (done.digest, len(whole), False)
    assert files_of(tmp_path / "here" / "again") == whole
    assert verify_release(tmp_path / "here" / "again").is_sound
    assert fetch_release(place, tmp_path / "here" / "again").was_there


def test_what_is_there_is_not_sent_again(small: Path, home: str) -> None:
    upload_release(small, read_address(home))
    again = upload_release(small, read_address(home))
    assert (again.was_there, again.files_sent) == (True, 0)


def test_another_release_of_the_same_version_is_refused(small: Path, rival: Path, home: str, tmp_path: Path) -> None:
    address = read_address(home)
    done = upload_release(small, address)
    assert _code(rival, address) == "release-exists"
    fetch_release(address.below(done.title), tmp_path / "back")
    assert files_of(tmp_path / "back") == files_of(small)


def test_a_release_that_is_not_sound_is_not_sent(release: Path, home: str) -> None:
    (release / "cases.csv").write_bytes(b"changed")
    address = read_address(home)
    assert _code(release, address) == "release-unsound"
    with pytest.raises(RejectedInput, match="release-missing"):
        fetch_release(address.below(release.name), Path("nowhere"))


def test_a_digest_that_was_written_down_elsewhere_is_asked_for(small: Path, home: str, tmp_path: Path) -> None:
    with pytest.raises(RejectedInput, match="release-unsound"):
        upload_release(small, read_address(home), digest="0" * 64)
    done = upload_release(small, read_address(home))
    with pytest.raises(RejectedInput, match="release-digest"):
        fetch_release(read_address(home).below(done.title), tmp_path / "back", digest="0" * 64)
    assert not (tmp_path / "back").exists()


def test_what_lies_at_the_place_is_left_as_it_is(small: Path, tmp_path: Path) -> None:
    place = tmp_path / small.name
    place.write_text("a file of somebody else's")
    assert _code(small, Address("file", str(tmp_path))) == "release-exists"
    assert place.read_text() == "a file of somebody else's"
    with pytest.raises(RejectedInput, match="release-exists"):
        fetch_release(Address("file", str(small)), place)


def test_a_release_with_a_tombstone_beside_it_is_neither_given_away_nor_used(
    release: Path, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_beside(release, Beside.TOMBSTONE, b"{}")
    assert _code(release, read_address(home)) == "release-withdrawn"
    with pytest.raises(RejectedInput, match="release-withdrawn"):
        pack_release(release, tmp_path / "packed")
    with pytest.raises(RejectedInput, match="release-withdrawn"):
        open_release(release)
    with pytest.raises(RejectedInput, match="release-withdrawn"):
        recognised(FileTree.of(release))
    monkeypatch.chdir(release)
    assert _code(Path(), read_address(home)) == "release-withdrawn"
    put_beside(release, Beside.TOMBSTONE, None)
    assert not upload_release(Path(), read_address(home)).was_there


def test_nothing_is_published_into_the_release_itself(small: Path) -> None:
    assert _code(small, Address("file", str(small / "sub-0001"))) == "upload-in-release"


def test_everybody_may_read_what_was_published_in_a_folder(small: Path, tmp_path: Path) -> None:
    upload_release(small, Address("file", str(tmp_path)))
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (tmp_path / small.name).rglob("*")}
    assert modes == {(True, 0o755), (False, 0o644)}


@pytest.mark.parametrize("kind", ["s3", "memory"])
def test_of_a_half_upload_nobody_takes_anything_and_it_goes_on(
    small: Path, rival: Path, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    address = read_address(request.getfixturevalue(kind))
    files = opened_to_write(address.below(small.name))
    manifest = read_manifest((small / MANIFEST_NAME).read_bytes())
    half = manifest.files[: len(manifest.files) // 2]
    for path in (SUMS_NAME, *(entry.path for entry in half)):
        assert files.create(path, small / path, sha256=_digest(small, path), media_type="text/plain")
    with pytest.raises(RejectedInput, match="release-missing"):
        fetch_release(address.below(small.name), tmp_path / "back")
    assert _code(rival, address) == "release-claimed"
    done = upload_release(small, address)
    assert (done.files_sent, done.was_there) == (len(manifest.files) - len(half), False)
    fetch_release(address.below(small.name), tmp_path / "back")
    assert files_of(tmp_path / "back") == files_of(small)


@pytest.mark.parametrize("kind", ["s3", "memory"])
@pytest.mark.parametrize("size", ["same", "other"])
def test_a_file_of_other_bytes_is_found_before_there_is_a_release(
    small: Path, kind: str, size: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    address = read_address(request.getfixturevalue(kind))
    other = tmp_path / "other"
    other.write_bytes(b"x" * ((small / "cases.csv").stat().st_size + (size == "other")))
    place = opened_to_write(address.below(small.name))
    assert place.create("cases.csv", other, sha256=_digest(tmp_path, "other"), media_type="text/csv")
    assert _code(small, address) == "store-file-differs"
    assert MANIFEST_NAME not in place.sizes()
    assert b"".join(place.read("cases.csv")) == other.read_bytes()


@pytest.mark.parametrize("kind", ["s3", "memory"])
def test_a_file_that_is_not_the_releases_is_found(
    small: Path, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    address = read_address(request.getfixturevalue(kind))
    (tmp_path / "notes").write_text("x")
    place = opened_to_write(address.below(small.name))
    place.create("notes", tmp_path / "notes", sha256=_digest(tmp_path, "notes"), media_type="text/plain")
    assert _code(small, address) == "store-file-extra"


def test_of_two_publishers_of_one_release_one_makes_it(small: Path, s3: str) -> None:
    done = _both(small, small, s3)
    assert sorted(isinstance(each, Transfer) and each.was_there for each in done) == [False, True]


def test_of_two_publishers_of_two_releases_one_is_told(small: Path, rival: Path, s3: str, tmp_path: Path) -> None:
    done = _both(small, rival, s3)
    refused = [each for each in done if isinstance(each, RejectedInput)]
    assert [each.code in ("release-claimed", "release-exists") for each in refused] == [True]
    fetch_release(read_address(s3).below(small.name), tmp_path / "back")
    assert files_of(tmp_path / "back") == files_of((small, rival)[isinstance(done[0], RejectedInput)])


def test_a_second_publisher_into_a_folder_is_told_while_the_first_is_at_it(small: Path, tmp_path: Path) -> None:
    digest = read_manifest((small / MANIFEST_NAME).read_bytes()).release_digest
    at_it = kept_part_folder(tmp_path, f"{small.name}-{digest[:12]}")
    with at_it, pytest.raises(TryAgain, match="release-in-work"):
        upload_release(small, Address("file", str(tmp_path)))
    assert not upload_release(small, Address("file", str(tmp_path))).was_there


@pytest.mark.slow
def test_two_processes_at_once_into_a_folder(small: Path, tmp_path: Path) -> None:
    """One makes it; the other is told that it is there, or being made."""
    for number in range(5):
        home = Address("file", str(tmp_path / str(number)))
        receiver, sender = os.pipe()
        children = [_publishing(small, home, receiver) for _ in range(2)]
        os.write(sender, b"go")  # both begin now
        os.close(receiver)
        os.close(sender)
        ended = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
        assert ended[0] == _MADE
        assert ended[1] in (_WAS_THERE, _IN_WORK)
        assert files_of(tmp_path / str(number) / small.name) == files_of(small)


@pytest.mark.slow
def test_two_releases_of_one_version_at_once_into_a_folder(small: Path, rival: Path, tmp_path: Path) -> None:
    """One makes it, the other is refused, and nothing of it stays."""
    for number in range(5):
        home = Address("file", str(tmp_path / str(number)))
        receiver, sender = os.pipe()
        children = [_publishing(release, home, receiver) for release in (small, rival)]
        os.write(sender, b"go")
        os.close(receiver)
        os.close(sender)
        ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert sorted(ended) == [_MADE, _REFUSED]
        won = (small, rival)[ended.index(_MADE)]
        assert files_of(tmp_path / str(number) / small.name) == files_of(won)
        assert [path.name for path in (tmp_path / str(number)).iterdir()] == [small.name]


_MADE, _WAS_THERE, _IN_WORK, _REFUSED, _FAILED = 10, 11, 12, 13, 14


def _publishing(release: Path, home: Address, start: int) -> int:
    """A process that publishes when told to; its number."""
    child = os.fork()
    if child:
        return child
    code = _FAILED
    try:
        os.read(start, 1)
        code = _WAS_THERE if upload_release(release, home).was_there else _MADE
    except TryAgain as error:
        code = _IN_WORK if error.code == "release-in-work" else _FAILED
    except RejectedInput as error:
        code = _REFUSED if error.code == "release-exists" else _FAILED
    finally:
        os._exit(code)


def _both(one: Path, other: Path, home: str) -> list[Transfer | MaskloopError]:
    """Publishes two releases at the same moment."""
    start = threading.Barrier(2)

    def publish(folder: Path) -> Transfer | MaskloopError:
        start.wait()
        try:
            return upload_release(folder, read_address(home))
        except MaskloopError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(publish, (one, other)))


def _code(folder: Path, address: Address) -> str:
    with pytest.raises(RejectedInput) as refusal:
        upload_release(folder, address)
    return refusal.value.code


def _digest(folder: Path, path: str) -> str:
    return sha256_of_file(folder / path)

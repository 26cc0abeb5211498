"""Fetched from anybody: from the web, broken off and gone on with; what a store or its lists lie about is refused."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from datasets.errors import MaskloopError, RejectedInput, TryAgain
from datasets.release.manifest_reading import read_manifest
from datasets.release.paths import MANIFEST_NAME, SUMS_NAME, TOMBSTONE_SCHEMA
from datasets.release.stores import filling
from datasets.release.stores.address import Address
from datasets.release.stores.fetch import fetch_release
from tests.datasets.release.samples import files_of, rewrite


class _Web(SimpleHTTPRequestHandler):
    """A web server of a folder that breaks off in the middle of a file where it is told to."""

    breaks_at: str | None = None

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def copyfile(self, source: object, outputfile: object) -> None:
        """Sends a file, or half of it."""
        if self.breaks_at and self.path.endswith(self.breaks_at):
            type(self).breaks_at = None
            outputfile.write(source.read(20))
            return
        super().copyfile(source, outputfile)


@pytest.fixture
def web(tmp_path: Path, small: Path) -> Iterator[Address]:
    """A release on the web, which a test may damage; the folder's name needs quoting."""
    folder = tmp_path / "on the web"
    shutil.copytree(small, folder / "r-1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Web, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Address("http", f"127.0.0.1:{server.server_port}/on%20the%20web/r-1")
    server.shutdown()
    server.server_close()


def test_a_release_comes_from_the_web_and_goes_on_where_it_broke_off(
    web: Address, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = files_of(small)
    monkeypatch.setattr(_Web, "breaks_at", "participants.tsv")
    with pytest.raises(TryAgain, match="store-unreachable"):
        fetch_release(web, tmp_path / "here")
    assert not (tmp_path / "here").exists()
    done = fetch_release(web, tmp_path / "here")
    assert 0 < done.files_sent < len(whole)
    assert files_of(tmp_path / "here") == whole
    assert not list(tmp_path.glob(".part-*"))


def test_a_version_with_withdrawn_cases_is_not_fetched(web: Address, small: Path, tmp_path: Path) -> None:
    """Where its publisher laid the tombstone beside it; what is none, or of another version, is as if nothing was."""
    digest = read_manifest((small / MANIFEST_NAME).read_bytes()).release_digest
    beside = tmp_path / "on the web" / "r-1.tombstone.json"
    for number, content in enumerate(({"schema": TOMBSTONE_SCHEMA, "release_digest": "0" * 64}, [], "<html>")):
        beside.write_text(json.dumps(content))
        assert not fetch_release(web, tmp_path / f"here-{number}").was_there
    beside.write_text(json.dumps({"schema": TOMBSTONE_SCHEMA, "release_digest": digest}))
    for address in (web, Address("file", str(tmp_path / "on the web" / "r-1"))):
        with pytest.raises(RejectedInput, match="release-withdrawn"):
            fetch_release(address, tmp_path / "here")
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("host", ["a..b", "a" * 300, "[::1", ".x", "☃..☃", "127.0.0.1:99999", "exa mple"])
def test_a_host_that_cannot_be_is_named(tmp_path: Path, host: str) -> None:
    with pytest.raises(MaskloopError) as refusal:
        fetch_release(Address("http", f"{host}/r-1"), tmp_path / "here")
    assert refusal.value.code in ("store-missing", "store-unreachable")


def test_what_is_no_release_is_said(web: Address, tmp_path: Path) -> None:
    for address in (Address("http", f"{web.place}-2"), Address("file", str(tmp_path)), Address("file", "/dev/null")):
        with pytest.raises(RejectedInput, match="release-missing"):
            fetch_release(address, tmp_path / "here")


def _escape(value: dict) -> None:
    value["files"][0]["path"] = "../../outside"


def _climb(value: dict) -> None:
    value["name"] = "../outside"


def _twin(value: dict) -> None:
    value["files"].append({**value["files"][0], "path": value["files"][0]["path"].upper()})


@pytest.mark.parametrize("change", [_escape, _climb, _twin])
def test_lists_that_lead_elsewhere_are_refused_before_a_byte_is_fetched(
    web: Address, tmp_path: Path, change: Callable[[dict], None]
) -> None:
    rewrite(tmp_path / "on the web" / "r-1", change)
    with pytest.raises(RejectedInput, match="release-unsound"):
        fetch_release(web, tmp_path / "here")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["on the web"]


def test_a_manifest_that_was_changed_is_refused(web: Address, tmp_path: Path) -> None:
    path = tmp_path / "on the web" / "r-1" / MANIFEST_NAME
    value = json.loads(path.read_bytes())
    path.write_text(json.dumps({**value, "licence": "CC0-1.0"}))
    with pytest.raises(RejectedInput, match="manifest-changed"):
        fetch_release(web, tmp_path / "here")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _lengthen(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"x")


@pytest.mark.parametrize("damage", [_flip, _lengthen, Path.unlink])
@pytest.mark.parametrize("name", ["cases.csv", SUMS_NAME])
def test_a_file_that_is_not_the_listed_one_is_refused_by_name(
    web: Address, small: Path, tmp_path: Path, damage: Callable[[Path], None], name: str
) -> None:
    path = tmp_path / "on the web" / "r-1" / name
    damage(path)
    with pytest.raises(RejectedInput, match=f"{name}.*store-file-differs"):
        fetch_release(web, tmp_path / "here")
    assert not (tmp_path / "here").exists()
    shutil.copy(small / name, path)
    assert fetch_release(web, tmp_path / "here").files_sent < len(files_of(small))


def test_what_somebody_changed_in_what_was_fetched_so_far_is_fetched_again(
    web: Address, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Web, "breaks_at", "verify.py")
    with pytest.raises(TryAgain):
        fetch_release(web, tmp_path / "here")
    (part,) = tmp_path.glob(".part-here-*")
    _flip(part / "cases.csv")
    (part / "more").write_text("x")
    fetch_release(web, tmp_path / "here")
    assert files_of(tmp_path / "here") == files_of(small)


def test_a_link_in_place_of_the_unfinished_folder_is_not_followed(small: Path, tmp_path: Path) -> None:
    digest = json.loads((small / MANIFEST_NAME).read_bytes())["release_digest"]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f".part-here-{digest[: filling.DIGITS_OF_DIGEST]}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MaskloopError, match="store-failed"):
        fetch_release(Address("file", str(small)), tmp_path / "here")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_in_a_folder_only_files_are_read(small: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "from"
    shutil.copytree(small, folder)
    (folder / "cases.csv").unlink()
    if kind == "pipe":
        os.mkfifo(folder / "cases.csv")
    else:
        (folder / "cases.csv").symlink_to(small / "cases.csv")
    with pytest.raises(RejectedInput, match=r"cases\.csv.*store-file-differs"):
        fetch_release(Address("file", str(folder)), tmp_path / "here")

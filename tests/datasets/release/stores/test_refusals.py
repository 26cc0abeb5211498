"""What goes wrong between here and a store: named, with a remedy, without the store's own words."""

import socket
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from datasets.errors import MaskloopError, RejectedInput, TryAgain
from datasets.release.paths import MANIFEST_NAME
from datasets.release.stores.address import Address, read_address
from datasets.release.stores.fetch import fetch_release
from datasets.release.stores.opening import opened_to_write
from datasets.release.stores.upload import upload_release
from tests.datasets.support.s3_server import running_server


@pytest.mark.parametrize(
    ("bucket", "kind", "code"),
    [
        ("no-such-bucket", RejectedInput, "store-missing"),
        ("Not_A_Bucket!", RejectedInput, "store-missing"),
        ("denied", RejectedInput, "store-forbidden"),
        ("busy", TryAgain, "store-busy"),
        ("full", TryAgain, "store-full"),
        ("forgetful", RejectedInput, "store-not-exclusive"),
        ("damaging", RejectedInput, "store-file-differs"),
    ],
)
def test_a_bucket_that_is_not_fit(
    small: Path, credentials: None, bucket: str, kind: type[MaskloopError], code: str
) -> None:
    with pytest.raises(kind) as refusal:
        upload_release(small, Address("s3", f"{bucket}/{code}"))
    assert refusal.value.code == code
    assert "own words" not in str(refusal.value)


def test_what_was_damaged_on_the_way_is_no_release(small: Path, credentials: None) -> None:
    home = Address("s3", "damaging/here")
    with pytest.raises(RejectedInput, match=r"store-file-differs"):
        upload_release(small, home)
    assert MANIFEST_NAME not in opened_to_write(home.below(small.name)).sizes()


def test_a_server_that_is_not_there(small: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(TryAgain, match="store-unreachable"):
            upload_release(small, read_address(s3))
        with pytest.raises(TryAgain, match="store-unreachable"):
            fetch_release(Address("http", f"127.0.0.1:{taken.getsockname()[1]}/x"), Path("nowhere"))


@pytest.mark.parametrize("gone", ["all", "half"])
def test_nobody_said_who_we_are(small: Path, s3: str, monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if gone == "all":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(RejectedInput, match="store-credentials"):
        upload_release(small, read_address(s3))


def test_a_servers_address_that_is_none(small: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no address")
    with pytest.raises(RejectedInput, match="store-missing"):
        upload_release(small, read_address(s3))


def test_a_profile_that_is_not_there(small: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    with pytest.raises(RejectedInput, match="store-credentials"):
        upload_release(small, read_address(s3))


def test_a_public_bucket_is_read_without_credentials(
    small: Path, s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = upload_release(small, read_address(s3))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert fetch_release(read_address(s3).below(done.title), tmp_path / "back").digest == done.digest


@pytest.mark.slow
def test_credentials_that_the_server_does_not_know(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_server(INITIAL_NO_AUTH_ACTION_COUNT="0") as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(RejectedInput, match="store-credentials") as refusal:
            upload_release(small, Address("s3", "sound/x"))
    assert environment["AWS_SECRET_ACCESS_KEY"] not in str(refusal.value)
    assert environment["AWS_ACCESS_KEY_ID"] not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://example.invalid/releases", "store-read-only"),
        ("gs://bucket/x", "store-unknown"),
        ("sftp://example.invalid/x", "store-not-exclusive"),
        ("ftp://example.invalid/x", "store-not-exclusive"),
        ("nothing://known/x", "store-unknown"),
    ],
)
def test_a_place_that_nothing_here_writes_to(small: Path, text: str, code: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        upload_release(small, read_address(text))
    assert refusal.value.code == code


class _Forgetful(MemoryFileSystem):
    """A driver that writes over what is there, whatever it is asked."""

    protocol = "forgetful"

    def open(self, path: str, mode: str = "rb", **more: object) -> object:
        """Opens a file; ``x`` is ``w``."""
        return super().open(path, mode.replace("x", "w"), **more)


def test_a_driver_that_writes_over_what_is_there_is_found_out(small: Path) -> None:
    fsspec.register_implementation("forgetful", _Forgetful, clobber=True)
    with pytest.raises(RejectedInput, match="store-not-exclusive"):
        upload_release(small, Address("forgetful", "x/y"))


def test_a_file_that_s3_takes_in_no_single_step(s3: str, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as stream:
        stream.truncate((5 << 30) + 1)
    with pytest.raises(RejectedInput, match="store-file-too-large"):
        opened_to_write(read_address(s3)).create("large", tmp_path / "large", sha256="0" * 64, media_type="text/plain")


def test_a_folder_that_may_not_be_written(small: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MaskloopError, match="store-"):
        upload_release(small, Address("file", str(tmp_path / "file")))
    with pytest.raises(MaskloopError, match="store-"):
        upload_release(small, Address("file", "/proc/releases"))

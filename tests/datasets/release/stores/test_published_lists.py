"""Errata and tombstones go where a release was published, and come with it; nothing else is ever written over."""

import json
from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.release.correcting.beside import Beside, beside, put_beside
from datasets.release.correcting.errata_file import ListedErratum, errata_file
from datasets.release.manifest_reading import read_manifest
from datasets.release.paths import MANIFEST_NAME
from datasets.release.stores.address import Address, read_address
from datasets.release.stores.fetch import fetch_release
from datasets.release.stores.published_lists import upload_lists
from datasets.release.stores.upload import upload_release
from tests.datasets.release.samples import files_of


def _errata(folder: Path, state: str) -> bytes:
    erratum = ListedErratum(1, "sub-0001_ses-1", "mask", "Tumour", (1,), state, folder.name)
    return errata_file(read_manifest((folder / MANIFEST_NAME).read_bytes()), [erratum])


def test_errata_go_to_the_place_of_publication_and_come_with_the_release(
    release: Path, home: str, tmp_path: Path
) -> None:
    address = read_address(home)
    upload_release(release, address)
    assert upload_lists(release, address) == ()
    place = address.below(release.name)
    assert fetch_release(place, tmp_path / "first").errata == 0
    for state in ("reported", "accepted"):
        put_beside(release, Beside.ERRATA, _errata(release, state))
        assert upload_lists(release, address) == (f"{release.name}.errata.json",)
        assert upload_lists(release, address) == ()
        done = fetch_release(place, tmp_path / "first")
        assert (done.errata, done.was_there) == (1, True)
        assert beside(tmp_path / "first", Beside.ERRATA).read_bytes() == _errata(release, state)
    assert files_of(tmp_path / "first") == files_of(release)
    assert upload_release(release, address).was_there


def test_a_release_with_a_tombstone_where_it_was_published_is_not_fetched(
    release: Path, home: str, tmp_path: Path
) -> None:
    address = read_address(home)
    done = upload_release(release, address)
    put_beside(release, Beside.TOMBSTONE, json.dumps({"release_digest": done.digest}).encode())
    assert upload_lists(release, address) == (f"{release.name}.tombstone.json",)
    with pytest.raises(RejectedInput, match="release-withdrawn"):
        fetch_release(address.below(release.name), tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_they_are_put_beside_this_very_release_alone(small: Path, rival: Path, home: str) -> None:
    with pytest.raises(RejectedInput, match="release-missing"):
        upload_lists(small, read_address(home))
    upload_release(rival, read_address(home))
    with pytest.raises(RejectedInput, match="release-digest"):
        upload_lists(small, read_address(home))


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"release_digest": "0"}', b"\xff"])
def test_what_is_none_of_this_release_s_is_left_out(small: Path, tmp_path: Path, content: bytes) -> None:
    home = Address("file", str(tmp_path / "home"))
    upload_release(small, home)
    for what in (Beside.ERRATA, Beside.TOMBSTONE):
        beside(tmp_path / "home" / small.name, what).write_bytes(content)
    assert fetch_release(home.below(small.name), tmp_path / "here").errata == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "home"]


def test_a_bucket_without_a_path(small: Path, credentials: None, tmp_path: Path) -> None:
    """Its releases lie at the top."""
    done = upload_release(small, Address("s3", "top"))
    assert upload_lists(small, Address("s3", "top")) == ()
    assert fetch_release(Address("s3", f"top/{small.name}"), tmp_path / "here").digest == done.digest

"""Release pages and downloads: whole or refused by name, in parts, and never all threads at once."""

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from annotation_backend.accounts.models import Role
from annotation_backend.cases.stored.digests import DamagedFile
from annotation_backend.publishing import views
from annotation_backend.publishing.models import Release
from datasets.release.build import build_release
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import accounts, the_study
from tests.datasets.release.samples import SETTINGS, files_of, write_cases

pytestmark = pytest.mark.django_db


@pytest.fixture
def release(tmp_path: Path) -> Release:
    built = build_release(write_cases(tmp_path), SETTINGS, Path(settings.DATA_FOLDER) / "releases" / tmp_path.name)
    folder = str(built.folder.relative_to(settings.DATA_FOLDER))
    return Release.objects.create(
        name=SETTINGS.name, version=SETTINGS.version, digest=built.digest, folder=folder, study=the_study()
    )


@pytest.fixture
def reader() -> Client:
    client = Client()
    client.force_login(accounts()[Role.RADIOLOGIST])
    return client


def _download(release: Release) -> str:
    return page_at("release-download", release.pk)


def test_a_download_holds_every_file_and_goes_on_where_it_broke_off(reader: Client, release: Release) -> None:
    whole = reader.get(_download(release))
    content = whole.getvalue()
    assert (whole.status_code, whole["Accept-Ranges"], int(whole["Content-Length"])) == (200, "bytes", len(content))
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        found = {name.partition("/")[2]: bundle.read(name) for name in bundle.namelist()}
    assert found == files_of(release.path)
    headers = {"range": f"bytes={len(content) // 2}-", "if-range": whole["ETag"]}
    rest = reader.get(_download(release), headers=headers)
    assert rest.status_code == 206
    assert rest["Content-Range"] == f"bytes {len(content) // 2}-{len(content) - 1}/{len(content)}"
    assert content[: len(content) // 2] + rest.getvalue() == content
    behind = reader.get(_download(release), headers={"range": f"bytes={len(content)}-"})
    assert (behind.status_code, behind["Content-Range"]) == (416, f"bytes */{len(content)}")
    asked = reader.head(_download(release))
    assert (asked.status_code, asked["Content-Length"]) == (200, str(len(content)))


@pytest.mark.parametrize("name", ["README.md", "manifest.json", "SHA256SUMS", "image"])
@pytest.mark.parametrize("damage", ["flipped", "gone", "empty", "no-utf-8"])
def test_a_damaged_release_is_refused_by_name_and_served_again_once_restored(
    reader: Client, release: Release, name: str, damage: str
) -> None:
    assert _status(reader, release) == 200
    path = next(release.path.rglob("*.nii.gz")) if name == "image" else release.path / name
    kept = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"flipped": _flipped(kept), "empty": b"", "no-utf-8": b"\xff\xfe" + kept}[damage])
    refused = reader.get(_download(release))
    assert (refused.status_code, refused["Content-Type"]) == (409, "text/plain; charset=utf-8")
    assert "release-damaged" in refused.content.decode()
    assert path.relative_to(release.path).as_posix() in refused.content.decode()
    page = reader.get(page_at("release-page", release.pk))
    assert page.status_code == 409
    assert "something is wrong with" in page.content.decode()
    path.write_bytes(kept)
    assert _status(reader, release) == 200
    assert "Dataset card" in reader.get(page_at("release-page", release.pk)).content.decode()


def test_a_release_whose_folder_is_gone_is_said_so(reader: Client, release: Release) -> None:
    release.path.rename(release.path.with_name("away"))
    assert reader.get(_download(release)).status_code == 409
    assert reader.get(page_at("release-page", release.pk)).status_code == 409


def test_another_sound_release_in_its_place_is_refused(reader: Client, release: Release) -> None:
    Release.objects.filter(pk=release.pk).update(digest="0" * 64)
    assert b"release-digest" in reader.get(_download(release)).content


def test_downloads_leave_threads_to_others_and_give_their_place_back(reader: Client, release: Release) -> None:
    open_ones = [reader.get(_download(release)) for _ in range(views.DOWNLOADS_AT_ONCE)]
    refused = reader.get(_download(release))
    assert (refused.status_code, refused["Retry-After"]) == (503, "10")
    assert b"begin again" in refused.content
    open_ones[0].close()
    open_ones[0].close()
    again = reader.get(_download(release))
    assert again.status_code == 200
    assert reader.get(_download(release)).status_code == 503
    for answer in [*open_ones, again]:
        answer.close()


def test_whoever_waits_for_a_release_to_be_compared_is_one_of_those_who_download(
    reader: Client, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[int] = []

    def compared(_release: Release) -> None:
        free.append(_free_places())
        raise DamagedFile("release-damaged", "Expected it whole.", remedy="Restore it.")

    monkeypatch.setattr(views, "archive_of", compared)
    assert reader.get(_download(release)).status_code == 409
    assert free == [views.DOWNLOADS_AT_ONCE - 1]


def test_a_release_is_read_once_while_nobody_touches_it(
    reader: Client, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotation_backend.publishing import stored_release

    read: list[int] = []
    verify = stored_release.verify_release
    monkeypatch.setattr(stored_release, "verify_release", lambda *a, **k: read.append(1) or verify(*a, **k))
    for _ in range(3):
        reader.get(_download(release)).close()
    assert len(read) == 1
    touched = release.path / "README.md"
    os.utime(touched, ns=(1, 1))
    reader.get(_download(release)).close()
    assert len(read) == 2


@pytest.fixture(autouse=True)
def _no_download_is_left_open() -> Iterator[None]:
    yield
    assert _free_places() == views.DOWNLOADS_AT_ONCE


def _free_places() -> int:
    """How many downloads may begin now; each place is taken once, and given back."""
    free = sum(1 for _ in iter(lambda: views.places.acquire(blocking=False), False))
    for _ in range(free):
        views.places.release()
    return free


def _status(reader: Client, release: Release) -> int:
    answer = reader.get(_download(release))
    answer.close()
    return answer.status_code


def _flipped(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)

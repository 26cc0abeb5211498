"""Release pages and downloads: whole or refused by name, in parts, and never all threads at once."""

import io
import os
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from annotation_backend.accounts.models import Role
from annotation_backend.cases.stored.digests import DamagedFile
from annotation_backend.publishing import downloads, stored_release, views
from annotation_backend.publishing.models import Release
from datasets.release.build import build_release
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import accounts, the_study
from tests.datasets.release.samples import LARGE_BYTES, SETTINGS, files_of, write_cases, write_large_case

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

    def compared(*_arguments: object, **_more: object) -> None:
        free.append(_free_places())
        raise DamagedFile("release-damaged", "Expected it whole.", remedy="Restore it.")

    monkeypatch.setattr(stored_release, "verify_release", compared)
    assert reader.get(_download(release)).status_code == 409
    assert free == [views.DOWNLOADS_AT_ONCE - 1]


def test_a_release_is_read_once_while_nobody_touches_it(
    reader: Client, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a_large_release_is_offered_in_parts_that_each_open_and_go_on(
    reader: Client, release: Release, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = page_at("release-page", release.pk)
    assert "In parts" not in reader.get(page).content.decode()
    monkeypatch.setattr(downloads, "PART_BYTES", 100_000)
    shown = reader.get(page).content.decode()
    offered = downloads.offered_parts(release)
    assert len(offered) > 1
    for part in offered:
        address = page_at("release-part", release.pk, part.number)
        assert f'"{address}"' in shown
        whole = reader.get(address)
        content = whole.getvalue()
        assert len(content) == part.bytes == int(whole["Content-Length"]) <= 100_000
        assert f"-part-0{part.number}-of-0{len(offered)}.zip" in whole["Content-Disposition"]
        rest = reader.get(address, headers={"range": "bytes=1000-", "if-range": whole["ETag"]})
        assert (rest.status_code, rest.getvalue()) == (206, content[1000:])
        with zipfile.ZipFile(io.BytesIO(content)) as bundle:
            bundle.extractall(tmp_path / "all")
    assert files_of(tmp_path / "all" / str(release)) == files_of(release.path)
    assert len({reader.head(page_at("release-part", release.pk, part.number))["ETag"] for part in offered}) == len(
        offered
    )
    for number in (0, len(offered) + 1):
        assert reader.get(page_at("release-part", release.pk, number)).status_code == 404


def test_what_changed_since_the_version_before_is_offered_and_gives_this_one(
    reader: Client, release: Release, tmp_path: Path
) -> None:
    assert reader.get(page_at("release-patch", release.pk)).status_code == 404
    assert "Patch" not in reader.get(page_at("release-page", release.pk)).content.decode()
    settings_before = replace(SETTINGS, version="1.1.0")
    former = build_release(write_cases(tmp_path)[:3], settings_before, release.path.parent)
    row = Release.objects.create(
        name=SETTINGS.name,
        version="1.1.0",
        digest=former.digest,
        folder=str(former.folder.relative_to(settings.DATA_FOLDER)),
        study=the_study(),
    )
    assert (
        "only what changed since thigh-tumours-1.1.0"
        in reader.get(page_at("release-page", release.pk)).content.decode()
    )
    answer = reader.get(page_at("release-patch", release.pk))
    content = answer.getvalue()
    assert 'filename="thigh-tumours-1.1.0-to-1.2.0.zip"' in answer["Content-Disposition"]
    assert len(content) < sum(map(len, files_of(release.path).values()))
    rest = reader.get(page_at("release-patch", release.pk), headers={"range": "bytes=99-", "if-range": answer["ETag"]})
    assert (rest.status_code, rest.getvalue()) == (206, content[99:])
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        bundle.extractall(tmp_path)
    script = tmp_path / "thigh-tumours-1.1.0-to-1.2.0" / "apply_patch.py"
    subprocess.run([sys.executable, "-I", script, former.folder, tmp_path / "made"], check=True, capture_output=True)
    assert files_of(tmp_path / "made") == files_of(release.path)
    Release.objects.filter(pk=row.pk).update(digest="0" * 64)
    assert reader.get(page_at("release-patch", release.pk)).status_code == 404


@pytest.mark.parametrize("name", ["release-part", "release-patch"])
def test_a_damaged_release_is_not_sent_in_any_form(reader: Client, release: Release, name: str, tmp_path: Path) -> None:
    former = build_release(write_cases(tmp_path)[:3], replace(SETTINGS, version="1.1.0"), release.path.parent)
    Release.objects.create(
        name=SETTINGS.name,
        version="1.1.0",
        digest=former.digest,
        folder=str(former.folder.relative_to(settings.DATA_FOLDER)),
        study=the_study(),
    )
    (release.path / "manifest.json").write_bytes(b"{}")
    refused = reader.get(page_at(name, *((release.pk, 1) if name == "release-part" else (release.pk,))))
    assert (refused.status_code, b"release-damaged" in refused.content) == (409, True)


@pytest.mark.slow
def test_a_large_image_is_sent_without_being_held_in_memory(reader: Client, tmp_path: Path) -> None:
    built = build_release([write_large_case(tmp_path)], SETTINGS, Path(settings.DATA_FOLDER) / "releases" / "large")
    folder = str(built.folder.relative_to(settings.DATA_FOLDER))
    row = Release.objects.create(
        name=SETTINGS.name, version=SETTINGS.version, digest=built.digest, folder=folder, study=the_study()
    )
    tracemalloc.start()
    sent = sum(map(len, reader.get(_download(row)).streaming_content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sent > LARGE_BYTES
    assert peak < LARGE_BYTES / 3


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

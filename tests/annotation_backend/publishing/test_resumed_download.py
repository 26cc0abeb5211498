"""A download that broke off in the middle goes on, over a real connection and with a program that people have."""

import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as now_settings
from pytest_django.live_server_helper import LiveServer

from annotation_backend.accounts.models import Role
from annotation_backend.publishing import downloads
from annotation_backend.publishing.models import Release
from datasets.release.build import build_release
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import accounts, signed_in, the_study
from tests.datasets.release.samples import SETTINGS, files_of, write_case, write_large_case

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


@pytest.fixture
def release(tmp_path: Path, settings: Any) -> Release:
    """A version with a large case, after one without."""
    settings.DATA_FOLDER = tmp_path / "data"
    small, large = write_case(tmp_path, 2), write_large_case(tmp_path)
    for version, cases in (("1.1.0", [small]), (SETTINGS.version, [small, large])):
        built = build_release(cases, replace(SETTINGS, version=version), settings.DATA_FOLDER / "releases")
        where = {"digest": built.digest, "folder": f"releases/{built.folder.name}"}
        row = Release.objects.create(study=the_study(), name=SETTINGS.name, version=version, **where)
    return row


def _curl(live_server: LiveServer, role: Role, address: str, *options: str) -> "subprocess.CompletedProcess[bytes]":
    key = signed_in(accounts()[role]).cookies[now_settings.SESSION_COOKIE_NAME].value
    cookie = f"{now_settings.SESSION_COOKIE_NAME}={key}"
    command = ["curl", "-sS", "--fail", "-b", cookie, *options, f"{live_server.url}{address}"]
    return subprocess.run(command, capture_output=True, check=False)


@pytest.mark.parametrize("name", ["release-download", "release-part", "release-patch"])
def test_what_broke_off_goes_on_and_verifies(
    live_server: LiveServer, release: Release, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "PART_BYTES", 60_000_000)
    address = page_at(name, release.pk, *((1,) if name == "release-part" else ()))
    assert _curl(live_server, Role.ANNOTATOR, address, "-o", str(tmp_path / "no")).returncode == 22
    got = tmp_path / "got.zip"
    broken = _curl(live_server, Role.RADIOLOGIST, address, "-o", str(got), "--limit-rate", "8M", "--max-time", "3")
    assert broken.returncode == 28
    so_far = got.stat().st_size
    assert so_far > 1_000_000
    done = _curl(
        live_server, Role.RADIOLOGIST, address, "-o", str(got), "-C", "-", "-w", "%{http_code} %{size_download}"
    )
    assert (done.returncode, done.stdout) == (0, b"206 %d" % (got.stat().st_size - so_far))
    with zipfile.ZipFile(got) as bundle:
        assert bundle.testzip() is None
        bundle.extractall(tmp_path / "all")
    if name == "release-download":
        assert files_of(tmp_path / "all" / str(release)) == files_of(release.path)
    if name == "release-patch":
        script = next((tmp_path / "all").glob("*/apply_patch.py"))
        former = release.path.with_name("thigh-tumours-1.1.0")
        subprocess.run([sys.executable, "-I", script, former, tmp_path / "made"], check=True, capture_output=True)
        assert files_of(tmp_path / "made") == files_of(release.path)

"""`upload_release`, `fetch_release` and `pack_release`: folders without a database, a study's release by its name."""

import json
import logging
import os
import shutil
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from annotation_backend.publishing.management.commands.pack_release import a_size
from annotation_backend.publishing.models import Release
from annotation_backend.studies.services import create_study
from datasets.release.build import build_release
from datasets.release.correcting.beside import Beside, put_beside
from datasets.release.correcting.errata_file import ListedErratum, errata_file
from datasets.release.manifest_reading import read_manifest
from datasets.study.shipped_protocols import FIRST, shipped_text
from tests.datasets.release.samples import SETTINGS, files_of, write_case
from tests.datasets.support.s3_server import running_server

ROOT = Path(__file__).resolve().parents[3]
SECRET = "tops3cret"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("to publish")
    return build_release([write_case(folder, 1)], SETTINGS, folder / "releases").folder


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    with running_server(AWS_SECRET_ACCESS_KEY=SECRET) as environment:
        yield {**environment, "AWS_SECRET_ACCESS_KEY": SECRET}


def _called(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict, str]:
    status = 0
    try:
        call_command(*map(str, arguments), "--json")
    except SystemExit as ended:
        status = int(str(ended.code))
    said = capsys.readouterr()
    return status, json.loads(said.out), said.err


def test_published_to_a_bucket_and_fetched_without_a_secret_on_any_line(
    release: Path,
    server: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.INFO)
    home = f"s3://sound/{tmp_path.name}"
    status, document, said = _called(capsys, "upload_release", release, home)
    assert (status, document["was_there"], document["files_sent"] + 2) == (0, False, document["files"])
    assert f"fetch_release {home}/{release.name} {release.name}" in said
    status, again, _ = _called(capsys, "upload_release", release, home)
    assert (status, again["was_there"]) == (0, True)
    place = document["address"]
    status, document, more = _called(capsys, "fetch_release", place, tmp_path / "here", "--digest", document["digest"])
    assert (status, document["findings"], files_of(tmp_path / "here")) == (0, [], files_of(release))
    for text in (said, more, caplog.text, str(document)):
        assert SECRET not in text
        assert server["AWS_ACCESS_KEY_ID"] not in text


def test_a_password_in_an_address_is_refused_and_on_no_line(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    address = f"s3://AKIA:{SECRET}@bucket/x"
    for arguments in (("upload_release", release, address), ("fetch_release", address, tmp_path / "here")):
        status, document, said = _called(capsys, *arguments)
        assert (status, document["code"]) == (2, "address-secret")
        assert SECRET not in said + caplog.text + str(document)


def test_a_dry_run_sends_nothing(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, document, said = _called(capsys, "upload_release", release, tmp_path / "home", "--dry-run")
    assert (status, document["files"]) == (0, len(files_of(release)))
    assert "would go to" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_a_studys_release_by_its_name(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: object
) -> None:
    settings.DATA_FOLDER = release.parents[1]
    study = create_study("one", shipped_text(FIRST))
    digest = json.loads((release / "manifest.json").read_bytes())["release_digest"]
    folder = str(release.relative_to(settings.DATA_FOLDER))
    row = Release.objects.create(study=study, name=SETTINGS.name, version="1.2.0", digest=digest, folder=folder)
    named = (release.name, tmp_path / "home", "--study", "one")
    assert _called(capsys, "upload_release", *named)[0] == 0
    assert files_of(tmp_path / "home" / release.name) == files_of(release)
    status, document, _ = _called(capsys, "upload_release", "other-1.0.0", tmp_path / "home", "--study", "one")
    assert (status, document["code"]) == (2, "release-unknown")
    Release.objects.filter(pk=row.pk).update(digest="0" * 64)
    status, document, _ = _called(capsys, "upload_release", *named)
    assert (status, document["code"]) == (2, "release-unsound")


def test_errata_are_put_beside_what_was_published_and_said_to_whoever_fetches_it(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Path(shutil.copytree(release, tmp_path / "own" / release.name))
    home = tmp_path / "home"
    status, document, _ = _called(capsys, "upload_errata", own, home)
    assert (status, document["code"]) == (2, "release-missing")
    assert _called(capsys, "upload_release", own, home)[1]["beside"] == []
    erratum = ListedErratum(1, "sub-0001_ses-1", "mask", "Tumour", (1,), "reported", own.name)
    content = errata_file(read_manifest((own / "manifest.json").read_bytes()), [erratum])
    put_beside(own, Beside.ERRATA, content)
    status, document, said = _called(capsys, "upload_errata", own, home)
    assert (status, document["beside"]) == (0, [f"{own.name}.errata.json"])
    assert f"{own.name}.errata.json" in said
    assert "is as it is here" in _called(capsys, "upload_errata", own, home)[2]
    status, document, said = _called(capsys, "fetch_release", home / own.name, tmp_path / "got")
    assert (status, document["errata"]) == (1, 1)
    assert "read got.errata.json" in said
    assert (tmp_path / "got.errata.json").read_bytes() == content


def test_parts_and_a_patch_are_packed(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, document, said = _called(
        capsys, "pack_release", release, "--out", tmp_path / "parts", "--part-size", "100KB"
    )
    assert (status, len(document["archives"]) > 1) == (0, True)
    assert "README.txt" in said
    assert {each["name"] for each in document["archives"]} < set(files_of(tmp_path / "parts"))
    status, document, _ = _called(capsys, "pack_release", release, "--out", tmp_path / "x", "--against", release)
    assert (status, document["code"]) == (2, "patch-versions")


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2_000_000_000), ("4 GiB", 4 << 30), ("700mb", 700_000_000), ("512", 512), ("1KiB", 1024)]
)
def test_a_size(text: str, size: int) -> None:
    assert a_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "0GB", "-1", "2.5GB", "2TB", "GB", "\u0663", "1" * 16])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected a size"):
        a_size(text)


@pytest.mark.slow
def test_a_stranger_without_a_database_fetches_and_a_publisher_publishes(
    release: Path, server: dict[str, str], tmp_path: Path
) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **server}

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, ROOT / "manage.py", *map(str, arguments)],
            capture_output=True, text=True, check=False, cwd=tmp_path, env=environment,
        )  # fmt: skip

    home = f"s3://sound/{tmp_path.name}"
    done = run("upload_release", release, home)
    assert done.returncode == 0, done.stderr[-500:]
    done = run("fetch_release", f"{home}/{release.name}", "got")
    assert done.returncode == 0, done.stderr[-500:]
    verified = subprocess.run(
        [sys.executable, "-I", "-S", "got/verify.py"], cwd=tmp_path, capture_output=True, check=False
    )
    assert verified.returncode == 0
    assert SECRET not in done.stderr + done.stdout
    assert not list(tmp_path.rglob("*.sqlite3"))

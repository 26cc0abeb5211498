"""`export_release`: a folder without a database, a study's release by its name, and what it says of itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from annotation_backend.publishing.management.commands import export_release
from annotation_backend.publishing.models import Release
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import create_study
from datasets.release.build import build_release
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import Missing, SegmentForm
from datasets.study.shipped_protocols import FIRST, shipped_text
from tests.datasets.release.exports.phantoms import SETTINGS, write_cases
from tests.datasets.release.samples import files_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("to export")
    return build_release(write_cases(folder), SETTINGS, folder / "releases").folder


def _called(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[dict, int]:
    try:
        call_command("export_release", *map(str, arguments), "--json")
        status = 0
    except SystemExit as ended:
        status = int(str(ended.code))
    return json.loads(capsys.readouterr().out), status


def test_the_command_knows_every_format_and_option() -> None:
    assert {*export_release.FORMATS} == {*FORMATS}
    assert tuple(Missing) == export_release.MISSING
    assert tuple(SegmentForm) == export_release.SEGMENTS


def test_a_folder_is_exported(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    document, status = _called(capsys, release, "monai", "--out", out, "--images", "t1", "t2")
    assert (status, document["findings"], document["images"]) == (0, [], ["t1", "t2"])
    assert len(document["cases"]) == 4
    assert {*files_of(out)} == {"datalist.json", "export.json", "README.txt", "LICENSE"}
    document, status = _called(capsys, release, "monai", "--out", out, "--images", "t1", "t2")
    assert (status, document["code"]) == (2, "export-exists")


def test_what_is_left_out_is_a_finding(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, status = _called(capsys, release, "nnunet", "--out", tmp_path / "out")
    assert (status, document["code"]) == (2, "export-images-missing")
    document, status = _called(capsys, release, "nnunet", "--out", tmp_path / "out", "--missing", "leave-case-out")
    assert (status, len(document["cases"])) == (1, 3)
    assert any("export-case-left-out" in finding for finding in document["findings"])


def test_a_dry_run_writes_nothing(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, status = _called(capsys, release, "dicom-seg", "--out", tmp_path / "out", "--dry-run")
    assert (status, len(document["cases"])) == (1, 4)
    assert any("export-mask-empty" in finding for finding in document["findings"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, status = _called(capsys, "thigh-tumours-1.0.0", "monai", "--out", tmp_path / "out")
    assert (status, document["code"]) == (2, "release-missing")


@pytest.mark.django_db
def test_a_study_s_release_by_its_name(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: object
) -> None:
    settings.DATA_FOLDER = release.parents[1]
    study, other = (create_study(name, shipped_text(FIRST)) for name in ("one", "two"))
    digest = json.loads((release / "manifest.json").read_bytes())["release_digest"]
    folder = str(release.relative_to(settings.DATA_FOLDER))
    row = Release.objects.create(study=study, name="asymmetric-phantoms", version="1.0.0", digest=digest, folder=folder)
    named = ("asymmetric-phantoms-1.0.0", "monai", "--images", "t1", "--out")
    document, status = _called(capsys, *named, tmp_path / "out", "--study", "one")
    assert (status, document["digest"]) == (0, digest)
    assert isinstance(other, Study)
    document, status = _called(capsys, *named, tmp_path / "other", "--study", "two")
    assert (status, document["code"]) == (2, "release-unknown")
    document, status = _called(capsys, *named, tmp_path / "none", "--study", "three")
    assert (status, document["code"]) == (2, "study-unknown")
    row.digest = "0" * 64
    row.save()
    document, status = _called(capsys, *named, tmp_path / "forged", "--study", "one")
    assert (status, document["code"]) == (2, "export-release-damaged")


@pytest.mark.slow
def test_it_works_where_there_is_no_database(release: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MASKLOOP_DATA": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "export_release", release, "monai", "--out", tmp_path / "out",
         "--images", "t1", "--json"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    assert (tmp_path / "out" / "datalist.json").exists()
    assert not list(tmp_path.rglob("*.sqlite3"))

"""`convert_medsam`: a checkpoint of the user's becomes a package, with and without the database."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from django.core.management import call_command

from annotation_backend.registry.models import Model
from tests.training.support.small_medsam import write_checkpoint
from training.model_package import read_description


def converted(*arguments: str) -> tuple[int, dict]:
    out, status = io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        try:
            call_command("convert_medsam", *arguments, "--json")
        except SystemExit as left:
            status = int(left.code or 0)
    return status, json.loads(out.getvalue())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "medsam_vit_b.pth")


def test_into_a_folder_without_a_database(checkpoint: Path, tmp_path: Path) -> None:
    status, document = converted(str(checkpoint), "--out", str(tmp_path / "package"))
    assert status == 0
    assert document["digest"] == read_description(tmp_path / "package").digest


@pytest.mark.django_db
def test_registered_for_boxes(checkpoint: Path, settings, tmp_path: Path) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    status, document = converted(str(checkpoint))
    assert (status, document["model"]) == (0, "medsam-vit-1")
    assert Model.objects.get().prompt_kinds == ["box"]


def test_a_missing_checkpoint_is_refused_with_a_remedy(tmp_path: Path) -> None:
    status, document = converted(str(tmp_path / "none.pth"), "--out", str(tmp_path / "package"))
    assert status == 2
    assert "medsam" in json.dumps(document)

"""Attacks on stored data that failed and must go on failing: crowds, full disks, changed files, other folders."""

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.doctor import services as doctor
from annotation_backend.environment import ROOT, fresh_environment
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingProject
from annotation_backend.labeling.project import deleted_project
from annotation_backend.labeling.studio.credentials import webhook_headers
from annotation_backend.registry.models import Promotion
from annotation_backend.review.models import Review, approved_review
from annotation_backend.supervision.supervisor import read_procfile
from datasets.errors import RejectedInput
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.on_disk import at_once, database_on_disk
from tests.annotation_backend.support.records import (
    VERDICT,
    published,
    registered_case,
    save_body,
    signed_in,
    the_study,
)
from tests.annotation_backend.support.segmenters import flip_a_weight, packaged_model
from training.pretrained.shipped import shipped_packages

pytestmark = pytest.mark.django_db

CROWD = 20


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_many_approvals_of_one_mask_at_once_one_is_given(
    people: dict[Role, User], mask: CaseMask, tmp_path: Path
) -> None:
    clients = [signed_in(people[Role.RADIOLOGIST]) for _ in range(CROWD)]
    address, form = page_at("review-case", "C0001"), {**VERDICT, "mask": mask.pk}
    with database_on_disk(tmp_path / "maskloop.sqlite3"):
        answers = at_once(*(lambda client=client: client.post(address, form).status_code for client in clients))
        assert at_once(Review.objects.count) == [1]
    assert sorted(answers) == [302] + [409] * (CROWD - 1)


@pytest.mark.django_db(transaction=True)
def test_saves_of_a_crowd_at_once_are_all_stored(
    people: dict[Role, User], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_thread_of_its_own = "annotation_backend.labeling.predictions.neighbours.propagate_after_save"
    monkeypatch.setattr(a_thread_of_its_own, lambda _save: None)
    tasks = published(registered_case())
    bodies = [save_body(tasks[number % len(tasks)], identifier=100 + number) for number in range(CROWD)]

    def send(body: dict[str, Any]) -> tuple[int, Any]:
        content = {"action": "ANNOTATION_CREATED", "annotation": body}
        answer = Client().post(reverse("ml-webhook"), content, "application/json", headers=webhook_headers())
        return answer.status_code, answer.json()

    with database_on_disk(tmp_path / "maskloop.sqlite3"):
        assert at_once(*(lambda body=body: send(body) for body in bodies)) == [(200, {"received": "stored"})] * CROWD
        assert at_once(Annotation.objects.count) == [CROWD]


@pytest.mark.parametrize("what", ["the disk is full", "a file lies where releases go"])
def test_a_build_that_cannot_write_is_refused_and_leaves_nothing(
    mask: CaseMask, radiologist: Client, settings: Any, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    _approve(radiologist, mask)
    releases = Path(settings.DATA_FOLDER) / "releases"
    if what == "the disk is full":
        with _files_of_at_most(4096):
            status = _built()
        assert list(releases.iterdir()) == []
    else:
        releases.write_text("in the way")
        status = _built()
        assert releases.read_text() == "in the way"
    shown = capsys.readouterr()
    assert (status, json.loads(shown.out)["code"]) == (2, "file-access")
    assert "Traceback" not in shown.out + shown.err
    assert str(settings.DATA_FOLDER) not in shown.out + shown.err


def _approve(radiologist: Client, mask: CaseMask) -> None:
    form = {**VERDICT, "mask": mask.pk}
    assert radiologist.post(page_at("review-case", "C0001"), form).status_code == 302


def _built() -> int:
    """The status that the command leaves with."""
    command = load_command_class("annotation_backend.publishing", "build_release")
    words = ["manage.py", "build_release", "tumours", "1.0.0", "--licence", "CC0-1.0", "--json"]
    try:
        command.run_from_argv(words)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize("what", ["t1", "t2", "mask"])
def test_what_was_changed_after_its_approval_is_in_no_release(
    mask: CaseMask, radiologist: Client, settings: Any, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    _approve(radiologist, mask)
    path = mask.path if what == "mask" else mask.case.images.get(role=what).path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert _built() == 2
    told = json.loads(capsys.readouterr().out)
    assert "C0001" in told["error"]
    assert str(settings.DATA_FOLDER) not in told["error"]
    assert not list((Path(settings.DATA_FOLDER) / "releases").glob("*"))


def test_a_project_that_label_studio_deleted_takes_no_approval_and_no_release_with_it(
    mask: CaseMask, radiologist: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    def digest() -> str:
        assert _built() == 0
        return str(json.loads(capsys.readouterr().out)["digest"])

    _approve(radiologist, mask)
    before = digest()
    deleted_project.retire(LabelingProject.objects.get())
    assert approved_review(mask.case) == Review.objects.get()
    assert digest() == before


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses to let a file grow further, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_commands_work_from_another_folder_and_what_they_write_is_their_owners_alone(tmp_path: Path) -> None:
    elsewhere, data = tmp_path / "elsewhere", tmp_path / "data"
    elsewhere.mkdir()
    environment = {**os.environ, **fresh_environment(), "MASKLOOP_DATA": str(data), "DATABASE_URL": "",
                   "DJANGO_SETTINGS_MODULE": "annotation_backend.settings"}  # fmt: skip

    def manage(*words: str) -> str:
        line = [sys.executable, str(ROOT / "manage.py"), *words]
        return subprocess.run(line, cwd=elsewhere, env=environment, capture_output=True, text=True, check=True).stdout

    manage("migrate", "--verbosity", "0")
    assert json.loads(manage("list_models", "--json"))["findings"] == []
    assert list(elsewhere.iterdir()) == []
    assert [path for path in (data, *data.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert "--umask 0077" in " ".join(read_procfile(ROOT / "Procfile")["web"])


@pytest.mark.django_db(transaction=True)
def test_the_doctor_names_a_model_with_one_flipped_bit(settings: Any, tmp_path: Path) -> None:
    settings.DATA_FOLDER = tmp_path
    LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())
    model = packaged_model(shipped_packages()["clicks-2d"], "held")
    for kind in doctor.ASKED_FOR:
        Promotion.objects.create(model=model, prompt_kind=kind, study=the_study())
    flip_a_weight(model.path)
    with pytest.raises(RejectedInput, match="package-weights-digest"):
        doctor.models()

"""The data manager's page and the command of the project's settings."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.interface import editor
from annotation_backend.labeling.models import LabelingProject, SettingsChange
from annotation_backend.registry.models import Model
from datasets.errors import TryAgain
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_double import LabelStudioDouble
from tests.annotation_backend.support.records import the_study

pytestmark = pytest.mark.django_db

PAGE = "project-settings"


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> LabelStudioDouble:
    double = LabelStudioDouble()
    monkeypatch.setattr(editor, "call", double.call)
    return double


@pytest.fixture
def project() -> LabelingProject:
    return LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())


def test_before_anything_is_published_the_page_says_so(client, people: dict[Role, User]) -> None:
    client.force_login(people[Role.DATA_MANAGER])
    assert "publish_tasks" in client.get(page_at(PAGE)).content.decode()


def test_a_change_by_the_page_reaches_label_studio_and_names_its_person(
    client, people: dict[Role, User], project: LabelingProject, studio: LabelStudioDouble
) -> None:
    client.force_login(people[Role.DATA_MANAGER])
    answer = client.post(page_at(PAGE), {"mask_format": "bitmask", "label_2": "on"})
    assert answer.status_code == 302
    assert "<BitmaskLabels" in studio.project["label_config"]
    assert "Oedema" in studio.project["label_config"]
    row = SettingsChange.objects.get()
    assert (row.person, row.mask_format, row.labels) == (people[Role.DATA_MANAGER], "bitmask", {"Oedema": True})
    page = client.get(page_at(PAGE)).content.decode()
    assert f"Data manager {people[Role.DATA_MANAGER].pk}" in page


@pytest.mark.parametrize("form", [{}, {"mask_format": "polygon"}, {"mask_format": "brush", "model_box": "nobody-1"}])
def test_a_form_that_cannot_be_is_refused(
    client, people: dict[Role, User], project: LabelingProject, studio: LabelStudioDouble, form: dict[str, str]
) -> None:
    client.force_login(people[Role.DATA_MANAGER])
    assert client.post(page_at(PAGE), form).status_code == 400
    assert studio.changes == []


def test_a_model_whose_files_are_gone_is_refused_with_its_reason(
    client, people: dict[Role, User], project: LabelingProject, studio: LabelStudioDouble
) -> None:
    Model.objects.create(
        name="gone", version="1", method="clicks-2d", digest="1" * 64, folder="models/none", prompt_kinds=["point"]
    )
    client.force_login(people[Role.DATA_MANAGER])
    answer = client.post(page_at(PAGE), {"mask_format": "brush", "model_point": "gone-1"})
    assert answer.status_code == 409
    assert 'class="errorlist' in answer.content.decode()
    assert not SettingsChange.objects.exists()


def test_while_label_studio_is_down_the_page_says_so_and_nothing_changes(
    client, people: dict[Role, User], project: LabelingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_args: object, **_options: object) -> None:
        raise TryAgain("label-studio-down", "Label Studio does not answer.", remedy="Start it.")

    monkeypatch.setattr(editor, "call", down)
    client.force_login(people[Role.DATA_MANAGER])
    answer = client.post(page_at(PAGE), {"mask_format": "bitmask"})
    assert answer.status_code == 503
    assert "Label Studio does not answer" in answer.content.decode()
    assert not SettingsChange.objects.exists()


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.RADIOLOGIST])
def test_others_cannot_change_settings(
    client, people: dict[Role, User], project: LabelingProject, studio: LabelStudioDouble, role: Role
) -> None:
    client.force_login(people[role])
    assert client.post(page_at(PAGE), {"mask_format": "bitmask"}).status_code == 403
    assert studio.changes == []


def _configure(*words: str) -> tuple[int, dict[str, object]]:
    out = StringIO()
    try:
        call_command("configure_project", *words, "--json", stdout=out, stderr=StringIO())
    except SystemExit as left:
        return int(left.code or 0), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_the_command_shows_and_a_dry_run_changes_nothing(project: LabelingProject, studio: LabelStudioDouble) -> None:
    status, document = _configure()
    assert (status, document["changed"]) == (0, False)
    status, document = _configure("--mask-format", "bitmask", "--oedema", "on", "--dry-run")
    assert (status, document["changed"]) == (0, True)
    assert document["settings"] == {"mask_format": "bitmask", "labels": {"Oedema": True}, "prompt_models": {}}
    assert studio.changes == []
    assert not SettingsChange.objects.exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--model", "point"], "model-choice"),
        (["--model", "point="], "model-choice"),
        (["--model", "guess=clicks-2d-2"], "prompt-kind"),
        (["--model", "point=nobody-1"], "model-unknown"),
    ],
)
def test_the_command_refuses_by_name(project: LabelingProject, words: list[str], code: str) -> None:
    status, document = _configure(*words)
    assert (status, document["code"]) == (2, code)

"""`add_person` makes both accounts or none: after any failure between the two services, the same command makes them."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.management.commands import add_person, remove_person
from annotation_backend.labeling.studio.client import require_no_transaction
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import role_in, roles_of
from annotation_backend.studies.services import create_study
from datasets.errors import ProgramFault, TryAgain
from datasets.study.shipped_protocols import shipped_text
from tests.annotation_backend.support.records import registered_case

pytestmark = pytest.mark.django_db

EMAIL = "second@hospital.org"


@pytest.fixture
def signed_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that Label Studio took; nothing may wait for it inside a transaction."""
    taken: list[str] = []

    def open_account(user: User, _password: str) -> None:
        require_no_transaction()
        assert not user.is_active, "nobody signs in here before both accounts are there"
        taken.append(user.email)

    monkeypatch.setattr(add_person, "open_account", open_account)
    monkeypatch.setattr(add_person, "ensure_people", lambda: [])
    return taken


def _add(**options: Any) -> None:
    call_command("add_person", EMAIL, "annotator", **options)


def test_a_person_is_active_once_label_studio_has_the_account(signed_up: list[str]) -> None:
    _add()
    assert signed_up == [EMAIL]
    assert User.objects.get(email=EMAIL).is_active


@pytest.mark.parametrize(
    "error", [TryAgain("label-studio-down", "Down.", remedy="Wait."), ProgramFault("a", "b", remedy="c")]
)
def test_where_label_studio_does_not_take_it_nobody_signs_in_and_a_repeat_makes_it(
    signed_up: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def down(_user: User, _password: str) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(add_person, "open_account", down)
        with pytest.raises(SystemExit):
            _add()
    assert not User.objects.get(email=EMAIL).is_active
    _add()
    assert User.objects.get(email=EMAIL).is_active


def test_one_that_was_killed_between_the_services_is_begun_anew(signed_up: list[str]) -> None:
    User.objects.create_user(username=EMAIL, email=EMAIL, password="forgotten words", is_active=False)
    _add()
    person = User.objects.get(email=EMAIL)
    assert person.is_active
    assert not person.check_password("forgotten words")


def _second() -> Study:
    return create_study("thigh-t1", shipped_text("t1"))


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    with suppress(SystemExit):
        call_command(*words, "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_role_is_of_one_study(signed_up: list[str], study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    other = _second()
    assert _json(capsys, "add_person", EMAIL, "annotator")["code"] == "study-unsaid"
    added = _json(capsys, "add_person", EMAIL, "annotator", "--study", "thigh-t1")
    assert (added["role"], added["study"]) == ("annotator", "thigh-t1")
    person = User.objects.get(email=EMAIL)
    assert person.check_password(added["password"])
    assert (role_in(other, person), role_in(study, person)) == (Role.ANNOTATOR, None)


def test_who_has_an_account_gets_a_role_in_one_more_study_and_keeps_the_password(
    signed_up: list[str], study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    password = _json(capsys, "add_person", EMAIL, "annotator")["password"]
    other = _second()
    for email in (EMAIL, EMAIL.upper()):  # and again: nothing happens
        added = _json(capsys, "add_person", email, "radiologist", "--study", "thigh-t1")
        assert added == {"role": "radiologist", "study": "thigh-t1", "findings": []}
    person = User.objects.get(email=EMAIL)
    assert person.check_password(password)
    assert (role_in(study, person), role_in(other, person)) == (Role.ANNOTATOR, Role.RADIOLOGIST)
    _json(capsys, "add_person", EMAIL, "data_manager", "--study", "thigh-t1")
    assert (role_in(study, person), role_in(other, person)) == (Role.ANNOTATOR, Role.DATA_MANAGER)
    assert signed_up == [EMAIL]


def test_an_administrator_needs_no_study(signed_up: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    other = _second()
    _json(capsys, "add_person", EMAIL, "administrator")
    person = User.objects.get(email=EMAIL)
    assert role_in(other, person) == Role.ADMINISTRATOR
    refused = _json(capsys, "add_person", EMAIL, "annotator", "--study", "thigh-t1")
    assert refused["code"] == "person-administrator"
    assert _json(capsys, "remove_person", EMAIL, "--study", "thigh-t1")["code"] == "person-administrator"


def test_no_study_is_named(signed_up: list[str], study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    study.delete()
    assert _json(capsys, "add_person", EMAIL, "annotator")["code"] == "study-none"
    assert not User.objects.exists()


def test_a_role_in_one_study_ends_alone(
    signed_up: list[str], study: Study, capsys: pytest.CaptureFixture[str], tmp_path: Path, settings
) -> None:
    settings.DATA_FOLDER = tmp_path
    other = _second()
    theirs = registered_case()
    address = theirs.slices.first().url
    for name in (study.name, other.name):
        _json(capsys, "add_person", EMAIL, "annotator", "--study", name)
    person = User.objects.get(email=EMAIL)
    assert _json(capsys, "remove_person", EMAIL, "--study", "nowhere")["code"] == "study-unknown"
    would = _json(capsys, "remove_person", EMAIL, "--study", "thigh-t1", "--dry-run")
    assert (would["role"], role_in(other, person)) == ("annotator", Role.ANNOTATOR)

    assert _json(capsys, "remove_person", EMAIL, "--study", "thigh-t1")["renewed"] == 0
    assert (role_in(study, person), role_in(other, person)) == (Role.ANNOTATOR, None)
    assert theirs.slices.first().url == address, "the other study's pictures keep their addresses"
    assert _json(capsys, "remove_person", EMAIL, "--study", "thigh-t1")["code"] == "person-not-in-study"

    assert _json(capsys, "remove_person", EMAIL, "--study", study.name)["renewed"] == 1
    assert theirs.slices.first().url != address
    person.refresh_from_db()
    assert person.is_active


def test_a_closed_account_that_is_opened_again_has_the_new_role_alone(
    signed_up: list[str], study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = _second()
    for name in (study.name, other.name):
        _json(capsys, "add_person", EMAIL, "radiologist", "--study", name)
    monkeypatch.setattr(remove_person, "close_account", lambda _person: [])
    assert _json(capsys, "remove_person", EMAIL)["roles"] == {study.name: "radiologist", other.name: "radiologist"}
    assert "password" in _json(capsys, "add_person", EMAIL, "annotator", "--study", "thigh-t1")
    assert roles_of(User.objects.get(email=EMAIL)) == {"thigh-t1": Role.ANNOTATOR}

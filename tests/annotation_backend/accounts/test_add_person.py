"""`add_person` makes both accounts or none: after any failure between the two services, the same command makes them."""

from typing import Any

import pytest
from django.core.management import call_command

from annotation_backend.accounts.models import User
from annotation_backend.labeling.management.commands import add_person
from annotation_backend.labeling.studio.client import require_no_transaction
from datasets.errors import ProgramFault, TryAgain

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
    User.objects.create_user(username=EMAIL, email=EMAIL, password="forgotten words", role="annotator", is_active=False)
    _add()
    person = User.objects.get(email=EMAIL)
    assert person.is_active
    assert not person.check_password("forgotten words")

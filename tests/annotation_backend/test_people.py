"""Accounts: the four first ones, one more, and one less."""

import pytest
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import close_person, create_first_accounts, create_person, person_called
from annotation_backend.labeling import project
from datasets.errors import RejectedInput

pytestmark = pytest.mark.django_db


def test_one_account_for_each_role_made_once() -> None:
    assert len(create_first_accounts()) == 4
    assert create_first_accounts() == []
    assert set(User.objects.values_list("role", flat=True)) == set(Role.values)


def test_a_new_person_signs_in_with_the_drawn_password() -> None:
    person, password = create_person("second@hospital.org", Role.RADIOLOGIST)
    assert person.check_password(password)
    assert password not in person.password
    assert person.has_role(Role.RADIOLOGIST)


@pytest.mark.parametrize(("email", "code"), [("nobody", "email"), ("Second@hospital.org", "account-exists")])
def test_a_bad_or_taken_address_is_refused(email: str, code: str) -> None:
    create_person("second@hospital.org", Role.RADIOLOGIST)
    with pytest.raises(RejectedInput, match=rf"\[{code}\]"):
        create_person(email, Role.ANNOTATOR)


def test_who_is_removed_is_signed_out_and_comes_in_no_more_and_keeps_the_name(client: Client) -> None:
    person, password = create_person("second@hospital.org", Role.RADIOLOGIST)
    person.label_studio_id = 9
    person.save()
    sign_in = {"username": person.username, "password": password}
    assert client.post(reverse("login"), sign_in).status_code == 302
    elsewhere = Client()
    elsewhere.force_login(person)
    assert close_person(person_called("Second@Hospital.org")) == 2
    for browser in (client, elsewhere):
        assert browser.get(reverse("review-queue")).status_code == 302
    assert Client().post(reverse("login"), sign_in).status_code == 200
    kept = User.objects.get(pk=person.pk)
    assert (kept.is_active, kept.label_studio_id, kept.username) == (False, 9, "second@hospital.org")
    assert close_person(person) == 0


def test_who_is_removed_comes_back_with_a_new_password_and_the_same_name() -> None:
    person, former = create_person("second@hospital.org", Role.RADIOLOGIST)
    close_person(person)
    again, password = create_person("second@hospital.org", Role.ANNOTATOR)
    assert (again.pk, again.role, again.is_active) == (person.pk, Role.ANNOTATOR, True)
    assert again.check_password(password)
    assert not again.check_password(former)


def test_a_first_account_that_was_removed_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    create_first_accounts()
    close_person(User.objects.get(role=Role.ANNOTATOR))
    assert create_first_accounts() == []
    assert not User.objects.get(role=Role.ANNOTATOR).is_active
    asked: list[str] = []
    monkeypatch.setattr(project, "sign_up", lambda user, _password: asked.append(user.role))
    monkeypatch.setattr(project, "call", lambda *_: [])
    project.ensure_people()
    assert sorted(asked) == ["administrator", "data_manager", "radiologist"]


def test_nobody_is_removed_by_mistake() -> None:
    create_first_accounts()
    with pytest.raises(RejectedInput, match="account-unknown"):
        person_called("nobody@hospital.org")
    with pytest.raises(RejectedInput, match="account-needed"):
        close_person(User.objects.get(role=Role.ADMINISTRATOR))

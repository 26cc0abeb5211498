"""Accounts: the four first ones, one more, one less, and people's numbers in Label Studio."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import close_person, create_first_accounts, first_role, person_called
from annotation_backend.labeling.management.commands import add_person
from annotation_backend.labeling.models import LabelingTask, TaskState
from annotation_backend.labeling.project import people
from annotation_backend.labeling.project.people import ensure_people
from annotation_backend.labeling.versions.assembly import assemble, current_saves
from annotation_backend.labeling.versions.doubts import name_annotator, note_doubts
from annotation_backend.labeling.versions.losses import open_findings
from annotation_backend.studies.people import role_in
from datasets.errors import RejectedInput
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import (
    accounts,
    first_account,
    new_person,
    published,
    registered_case,
    saved,
    the_study,
)

pytestmark = pytest.mark.django_db


def test_one_account_for_each_role_made_once() -> None:
    assert len(create_first_accounts()) == 4
    assert create_first_accounts() == []
    assert {first_role(person) for person in User.objects.all()} == set(Role)


def test_a_new_person_signs_in_with_the_drawn_password() -> None:
    person, password = new_person("second@hospital.org", Role.RADIOLOGIST)
    assert person.check_password(password)
    assert password not in person.password
    assert role_in(the_study(), person) is Role.RADIOLOGIST


@pytest.mark.parametrize(("email", "code"), [("nobody", "email"), ("Second@hospital.org", "account-exists")])
def test_a_bad_or_taken_address_is_refused(email: str, code: str) -> None:
    new_person("second@hospital.org", Role.RADIOLOGIST)
    with pytest.raises(RejectedInput, match=rf"\[{code}\]"):
        new_person(email, Role.ANNOTATOR)


def _in_label_studio(monkeypatch: pytest.MonkeyPatch, numbers: dict[str, int]) -> None:
    """Has Label Studio list these people, and nothing else asked."""
    listed = [{"email": email, "id": number} for email, number in numbers.items()]

    def call(_method: str, path: str, **_options: Any) -> Any:
        assert path == "/api/users/"
        return listed

    monkeypatch.setattr(people, "call", call)
    monkeypatch.setattr(people, "sign_up", lambda *_words: None)
    monkeypatch.setattr(people, "ensure_tabs", lambda _project: 0)


def test_who_left_label_studio_stays_the_author_of_what_they_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    known = accounts()
    task = published(registered_case())[2]
    saved(task)
    _in_label_studio(monkeypatch, {"Deleted": 4})
    assert ensure_people() == []
    known[Role.ANNOTATOR].refresh_from_db()
    assert known[Role.ANNOTATOR].label_studio_id == 4
    assert current_saves(task.case)[2] is not None


def test_an_address_is_the_same_in_capitals_and_what_was_drawn_before_counts_once_it_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts()
    emil, _ = new_person("Emil@X.org", Role.ANNOTATOR)
    task = published(registered_case())[2]
    saved(task, person=17)
    assert current_saves(task.case)[2] is None
    _in_label_studio(monkeypatch, {"emil@x.ORG": 17})
    assert ensure_people() == []
    emil.refresh_from_db()
    assert emil.label_studio_id == 17
    assert current_saves(task.case)[2] is not None
    assert LabelingTask.objects.get(pk=task.pk).state == TaskState.ANNOTATED


@pytest.mark.parametrize("other", ["anna.\N{LATIN SMALL LETTER LONG S}@x.org", "ANNA.S@x.org", "anna.s@X.org"])
@pytest.mark.parametrize("comes_last", [True, False])
def test_an_account_under_an_address_that_only_looks_the_same_is_nobodys(
    monkeypatch: pytest.MonkeyPatch, other: str, comes_last: bool
) -> None:
    anna, _ = new_person("anna.s@x.org", Role.ANNOTATOR)
    there = [("anna.s@x.org", 17), (other, 18)]
    _in_label_studio(monkeypatch, dict(there if comes_last else there[::-1]))
    assert ensure_people() == []
    anna.refresh_from_db()
    assert anna.label_studio_id == 17


def test_what_an_account_drew_before_its_person_was_added_waits_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    known = accounts()
    task = published(registered_case())[2]
    saved(task, person=17)  # an account under a future colleague's address, which everybody there can make
    emil, later = _added(monkeypatch, "emil@x.org", 17), timezone.now() + timedelta(minutes=1)
    assert emil.label_studio_id == 17
    saved(task, identifier=9, person=17)  # one of before, whose webhook was lost
    assert current_saves(task.case)[2] is None
    note_doubts(task.case)
    name_annotator(open_findings(task.case).get(), known[Role.RADIOLOGIST], named_by=known[Role.DATA_MANAGER])
    mask = assemble(task.case)
    assert mask is not None
    assert mask.is_drawn_by(known[Role.RADIOLOGIST])
    saved(task, identifier=8, person=17, updated_at=later.isoformat())
    newest = assemble(task.case)
    assert newest is not None
    assert [save.label_studio_id for save in newest.annotations.all()] == [8]


def test_who_is_added_again_stays_the_author_of_what_they_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    known = accounts()
    task = published(registered_case())[2]
    saved(task)
    close_person(known[Role.ANNOTATOR])
    assert current_saves(task.case)[2] is not None
    assert _added(monkeypatch, known[Role.ANNOTATOR].email, 4) == known[Role.ANNOTATOR]
    assert current_saves(task.case)[2] is not None


def _added(monkeypatch: pytest.MonkeyPatch, email: str, number: int) -> User:
    """Who was added by the command, whatever was in Label Studio under the address."""
    monkeypatch.setattr(add_person, "open_account", lambda *_words: None)
    _in_label_studio(monkeypatch, {email: number})
    call_command("add_person", email, "annotator")
    return User.objects.get(email=email)


def test_a_number_that_was_noted_goes_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    known = accounts()
    annotator, radiologist = known[Role.ANNOTATOR], known[Role.RADIOLOGIST]
    _in_label_studio(monkeypatch, {annotator.email: 3, radiologist.email: 4})
    findings = ensure_people()
    assert [finding.code for finding in findings] == ["label-studio-number", "label-studio-number"]
    assert not any("@" in str(finding) for finding in findings)
    numbers = {first_role(person): person.label_studio_id for person in User.objects.all()}
    assert (numbers[Role.RADIOLOGIST], numbers[Role.ANNOTATOR]) == (3, 4)


def test_who_is_removed_is_signed_out_and_comes_in_no_more_and_keeps_the_name(client: Client) -> None:
    person, password = new_person("second@hospital.org", Role.RADIOLOGIST)
    person.label_studio_id = 9
    person.save()
    sign_in = {"username": person.username, "password": password}
    assert client.post(reverse("login"), sign_in).status_code == 302
    elsewhere = Client()
    elsewhere.force_login(person)
    assert close_person(person_called("Second@Hospital.org")) == 2
    for browser in (client, elsewhere):
        assert browser.get(page_at("review-queue")).status_code == 302
    assert Client().post(reverse("login"), sign_in).status_code == 200
    kept = User.objects.get(pk=person.pk)
    assert (kept.is_active, kept.label_studio_id, kept.username) == (False, 9, "second@hospital.org")
    assert close_person(person) == 0


def test_who_is_removed_comes_back_with_a_new_password_and_the_same_name() -> None:
    person, former = new_person("second@hospital.org", Role.RADIOLOGIST)
    close_person(person)
    again, password = new_person("second@hospital.org", Role.ANNOTATOR)
    assert (again.pk, role_in(the_study(), again), again.is_active) == (person.pk, Role.ANNOTATOR, True)
    assert again.check_password(password)
    assert not again.check_password(former)


def test_a_first_account_that_was_removed_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    create_first_accounts()
    close_person(first_account(Role.ANNOTATOR))
    assert create_first_accounts() == []
    assert not first_account(Role.ANNOTATOR).is_active
    asked: list[str] = []
    monkeypatch.setattr(people, "sign_up", lambda user, _password: asked.append(first_role(user)))
    monkeypatch.setattr(people, "call", lambda *_: [])
    monkeypatch.setattr(people, "ensure_tabs", lambda _project: 0)
    ensure_people()
    assert sorted(asked) == ["administrator", "data_manager", "radiologist"]


def test_nobody_is_removed_by_mistake() -> None:
    create_first_accounts()
    with pytest.raises(RejectedInput, match="account-unknown"):
        person_called("nobody@hospital.org")
    with pytest.raises(RejectedInput, match="account-needed"):
        close_person(first_account(Role.ADMINISTRATOR))

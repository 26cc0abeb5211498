"""The page of a study's people: who gives and takes which role, invitations, and the record of it all."""

import re
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_tasks_db.models import DBTaskResult

from annotation_backend.accounts import adapter
from annotation_backend.accounts.models import Role, User
from annotation_backend.studies.invitations import invite
from annotation_backend.studies.models import STUDY_ROLES, Invitation, MembershipChange, Study
from annotation_backend.studies.people import give_role, role_in, roles_of, take_all_roles, take_role
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import new_person, second_study, signed_in

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough phrase"
INVITED = "new@hospital.org"


def _post(who: User, action: str, **fields: Any) -> Any:
    return signed_in(who).post(page_at("people"), {"action": action, **fields})


def _link(answer: Any) -> str:
    found = re.search(r"<code>http://127\.0\.0\.1:8000(/accounts/\S+)</code>", answer.content.decode())
    assert found is not None
    return found[1]


@pytest.mark.parametrize("by", list(Role))
@pytest.mark.parametrize("former", STUDY_ROLES)
@pytest.mark.parametrize("role", list(Role))
def test_who_gives_which_role_in_place_of_which(
    people: dict[Role, User], study: Study, by: Role, former: Role, role: Role
) -> None:
    member = new_person("anna@hospital.org", former)[0]
    before = MembershipChange.objects.count()
    answer = _post(people[by], "give", person=member.pk, role=role.value)
    drawing = {Role.RADIOLOGIST, Role.ANNOTATOR}
    may = role in STUDY_ROLES if by is Role.ADMINISTRATOR else by is Role.DATA_MANAGER and {former, role} <= drawing
    refused = 403 if by in drawing else 409
    assert answer.status_code == (302 if may else refused)
    assert role_in(study, member) == (role if may else former)
    assert MembershipChange.objects.count() - before == (1 if may and role != former else 0)


@pytest.mark.parametrize("by", list(Role))
@pytest.mark.parametrize("former", STUDY_ROLES)
def test_who_ends_whose_part(people: dict[Role, User], study: Study, by: Role, former: Role) -> None:
    member = new_person("anna@hospital.org", former)[0]
    browser = signed_in(member)
    assert browser.get(page_at("study")).status_code == 200
    answer = _post(people[by], "end", person=member.pk)
    may = by is Role.ADMINISTRATOR or (by is Role.DATA_MANAGER and former is not Role.DATA_MANAGER)
    assert answer.status_code == (302 if may else 409 if by is Role.DATA_MANAGER else 403)
    assert browser.get(page_at("study")).status_code == (404 if may else 200), "in mid-session"
    assert DBTaskResult.objects.filter(task_path__endswith="renew_addresses").exists() == may


@pytest.mark.parametrize("action", ["close", "password", "factor"])
def test_only_administrators_change_accounts(people: dict[Role, User], action: str) -> None:
    member = new_person("anna@hospital.org", Role.ANNOTATOR)[0]
    assert _post(people[Role.DATA_MANAGER], action, person=member.pk).status_code == 409
    answer = _post(people[Role.ADMINISTRATOR], action, person=member.pk)
    assert answer.status_code == (200 if action == "password" else 302)
    member.refresh_from_db()
    assert member.is_active == (action != "close")


def test_a_closed_account_opens_nothing_and_is_closed_in_label_studio_too(people: dict[Role, User]) -> None:
    member, password = new_person("anna@hospital.org", Role.ANNOTATOR)
    browser = signed_in(member)
    _post(people[Role.ADMINISTRATOR], "close", person=member.pk)
    assert browser.get(reverse("home")).status_code == 302
    assert Client().post(reverse("login"), {"username": member.email, "password": password}).status_code == 200
    assert roles_of(member) == {}
    jobs = set(DBTaskResult.objects.values_list("task_path", flat=True))
    assert {path.rpartition(".")[2] for path in jobs} == {"close_studio_account", "renew_addresses"}


def test_nobody_closes_the_own_account_nor_the_one_maskloop_speaks_by(people: dict[Role, User], study: Study) -> None:
    first = people[Role.ADMINISTRATOR]
    give_role(study, first, Role.RADIOLOGIST)
    assert _post(first, "close", person=first.pk).status_code == 409
    other = User.objects.create_user("second@hospital.org", is_administrator=True)
    assert _post(other, "close", person=first.pk).status_code == 409
    first.refresh_from_db()
    assert first.is_active


def test_members_of_another_study_are_not_there(people: dict[Role, User]) -> None:
    stranger = User.objects.create_user("stranger@hospital.org")
    give_role(second_study(), stranger, Role.ANNOTATOR)
    for action in ("give", "end", "close", "password", "factor"):
        for number in (stranger.pk, "x", "", 10**30, "²"):
            answer = _post(people[Role.ADMINISTRATOR], action, person=number, role="annotator")
            assert answer.status_code == 404
    assert _post(people[Role.ADMINISTRATOR], "nothing").status_code == 400


def test_what_was_given_and_taken_is_recorded_and_never_changed(people: dict[Role, User], study: Study) -> None:
    member = User.objects.create_user("anna@hospital.org")
    manager = people[Role.DATA_MANAGER]
    give_role(study, member, Role.ANNOTATOR)
    give_role(study, member, Role.ANNOTATOR)
    give_role(study, member, Role.RADIOLOGIST, by=manager)
    take_role(study, member, by=manager)
    take_role(study, member)
    give_role(study, member, Role.DATA_MANAGER)
    take_all_roles(member)
    rows = MembershipChange.objects.filter(person=member)
    assert list(rows.values_list("former", "role", "by")) == [
        ("", "annotator", None),
        ("annotator", "radiologist", manager.pk),
        ("radiologist", "", manager.pk),
        ("", "data_manager", None),
        ("data_manager", "", None),
    ]
    with pytest.raises(TypeError, match="never changed"):
        rows[0].save()


def test_an_invited_person_sets_a_password_and_is_in(people: dict[Role, User], study: Study) -> None:
    answer = _post(people[Role.DATA_MANAGER], "invite", email=" New@Hospital.org ", role="radiologist")
    link, browser = _link(answer), Client()
    assert link.partition("invitation/")[2].strip("/") not in str(Invitation.objects.values())
    assert INVITED in browser.get(link).content.decode()
    for words in ({"password": "short", "again": "short"}, {"password": PASSWORD, "again": "other"}, {}):
        assert browser.post(link, words).status_code == 200
        assert not User.objects.filter(username=INVITED).exists()
    joined = browser.post(link, {"password": PASSWORD, "again": PASSWORD})
    assert joined["Location"] == page_at("study")
    assert browser.get(page_at("study")).status_code == 200
    person = User.objects.get(username=INVITED)
    assert role_in(study, person) == Role.RADIOLOGIST
    assert person.draws_since is not None
    assert MembershipChange.objects.get(person=person).by == people[Role.DATA_MANAGER]
    assert Client().get(link).status_code == 404, "it opens once"
    assert Client().post(reverse("login"), {"username": INVITED, "password": PASSWORD}).status_code == 302


def test_who_has_an_account_signs_in_and_accepts(people: dict[Role, User], study: Study) -> None:
    give_role(second_study(), known := User.objects.create_user(INVITED, INVITED, PASSWORD), Role.ANNOTATOR)
    link = invite(study, INVITED, Role.ANNOTATOR, by=people[Role.DATA_MANAGER]).removeprefix("http://127.0.0.1:8000")
    assert Client().post(link, {"password": PASSWORD, "again": PASSWORD}).status_code == 200
    assert role_in(study, known) is None, "a link alone does not open another person's account"
    assert signed_in(people[Role.RADIOLOGIST]).post(link).status_code == 409, "it is for another address"
    signed = signed_in(known)
    assert "Accept" in signed.get(link).content.decode()
    assert signed.post(link)["Location"] == page_at("study")
    assert role_in(study, known) == Role.ANNOTATOR


def test_an_invitation_ends(people: dict[Role, User], study: Study) -> None:
    manager = new_person("manager@hospital.org", Role.DATA_MANAGER)[0]
    first, second, third = (invite(study, INVITED, Role.ANNOTATOR, by=manager)[21:] for _ in range(3))
    assert [Client().get(link).status_code for link in (first, second, third)] == [404, 404, 200]
    take_role(study, manager)
    assert Client().get(third).status_code == 404, "who invited has no say any more"
    give_role(study, manager, Role.DATA_MANAGER)
    _post(manager, "withdraw", invitation=Invitation.objects.last().pk)
    assert Client().get(third).status_code == 404
    fourth = invite(study, INVITED, Role.ANNOTATOR, by=manager)[21:]
    Invitation.objects.update(expires="2020-01-01T00:00:00Z")
    assert Client().get(fourth).status_code == 404
    assert not User.objects.filter(username=INVITED).exists()


@pytest.mark.parametrize("by", list(Role))
@pytest.mark.parametrize("role", list(Role))
def test_who_invites_as_what(people: dict[Role, User], by: Role, role: Role) -> None:
    answer = _post(people[by], "invite", email=INVITED, role=role.value)
    given = {Role.ADMINISTRATOR: set(STUDY_ROLES), Role.DATA_MANAGER: {Role.RADIOLOGIST, Role.ANNOTATOR}}.get(by)
    assert answer.status_code == (403 if given is None else 200 if role in given else 409)
    assert Invitation.objects.exists() == (given is not None and role in given)


def test_who_invites_learns_nothing_of_accounts(people: dict[Role, User]) -> None:
    closed = User.objects.create_user("closed@hospital.org", "closed@hospital.org", is_active=False)
    User.objects.create_user("known@hospital.org", "known@hospital.org")
    shown = []
    for email in ("closed@hospital.org", "known@hospital.org", "nobody@hospital.org"):
        answer = _post(people[Role.DATA_MANAGER], "invite", email=email, role="annotator")
        shown.append((answer.status_code, "A link, shown only now" in answer.content.decode()))
    assert shown == [(200, True)] * 3
    link = _link(_post(people[Role.DATA_MANAGER], "invite", email=closed.email, role="annotator"))
    assert Client().post(link, {"password": PASSWORD, "again": PASSWORD}).status_code == 409
    closed.refresh_from_db()
    assert not closed.is_active, "only an administrator opens a closed account again"
    link = _link(_post(people[Role.ADMINISTRATOR], "invite", email=closed.email, role="annotator"))
    assert Client().post(link, {"password": PASSWORD, "again": PASSWORD}).status_code == 302


@pytest.mark.parametrize("email", ["", "x", "a@b", "\0", "a" * 5000 + "@x.org", "annotator@maskloop.local"])
def test_an_address_that_is_none_or_a_members_is_refused(people: dict[Role, User], email: str) -> None:
    assert _post(people[Role.DATA_MANAGER], "invite", email=email, role="annotator").status_code == 409
    assert not Invitation.objects.exists()


def test_an_invitation_is_sent_where_e_mail_is_on(
    people: dict[Role, User], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter.SENDER, "submit", lambda send, message: send(message))
    _post(people[Role.DATA_MANAGER], "invite", email=INVITED, role="annotator")
    assert mail.outbox == []
    settings.EMAIL_IS_ON = True
    link = _link(_post(people[Role.DATA_MANAGER], "invite", email=INVITED, role="annotator"))
    [sent] = mail.outbox
    assert (sent.to, link in sent.body) == ([INVITED], True)


def test_the_page_asks_as_much_of_the_database_for_many_as_for_few(people: dict[Role, User], study: Study) -> None:
    client = signed_in(people[Role.ADMINISTRATOR])

    def count() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(page_at("people")).status_code == 200
        return len(asked)

    counted = []
    for numbers in (range(1), range(1, 21)):
        for number in numbers:
            person = User.objects.create_user(f"p{number}@hospital.org")
            give_role(study, person, Role.ANNOTATOR, by=people[Role.DATA_MANAGER])
            invite(study, f"i{number}@hospital.org", Role.ANNOTATOR, by=people[Role.DATA_MANAGER])
        counted.append(count())
    assert counted[0] == counted[1]

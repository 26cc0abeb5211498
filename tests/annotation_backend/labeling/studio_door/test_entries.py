"""The way into Label Studio from here: tickets once, permits for whoever is signed in, and no longer."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now, timedelta

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import close_person
from annotation_backend.labeling.models import LabelingTask, ProjectTab, StudioEntry, TaskState
from annotation_backend.labeling.studio.credentials import door_secret, webhook_secret
from annotation_backend.labeling.studio_door import surroundings
from annotation_backend.labeling.studio_door.tickets import Ticket, opened
from annotation_backend.stages.flow import begin
from annotation_backend.studies.people import give_role, take_role
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import accounts, published, registered_case, signed_in, the_study

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("studio_up")]


@pytest.fixture
def people() -> dict[Role, User]:
    found = accounts()
    for number, person in enumerate(found.values(), start=1):
        person.label_studio_id = number
        person.save()
    return found


@pytest.fixture
def tasks(people: dict[Role, User]) -> list[LabelingTask]:
    rows = published(registered_case())
    begin(rows[0].case)
    return rows


@pytest.fixture
def annotator(people: dict[Role, User]) -> Client:
    return signed_in(people[Role.ANNOTATOR])


def _ask(path: str, body: Any, *, secret: str | None = None) -> Any:
    header = {surroundings.HEADER: door_secret() if secret is None else secret}
    return Client().post(path, body, content_type="application/json", headers=header)


def _ticket(answer: Any) -> Ticket:
    assert answer.status_code == 302, answer.content
    place = urlsplit(answer["Location"])
    assert place.path == "/maskloop/enter"
    return opened(parse_qs(place.query)["ticket"][0], door_secret())


def _entered(client: Client, place: str = "") -> Ticket:
    ticket = _ticket(client.get(reverse("studio"), {"place": place}))
    assert _ask("/label-studio/entries", {"entry": ticket.entry, "person": ticket.person}).status_code == 200
    return ticket


def _permits(ticket: Ticket, **more: Any) -> Any:
    return _ask("/label-studio/permits", {"entry": ticket.entry, "person": ticket.person, **more})


def test_who_signs_in_on_the_way_goes_on_into_label_studio(people: dict[Role, User]) -> None:
    """The door sends a browser that nobody signed in here, with the place that it asked for."""
    person = people[Role.ANNOTATOR]
    person.set_password("a-password-of-theirs")
    person.save()
    browser = Client()
    place = f"{reverse('studio')}?{urlencode({'place': '/projects/1/data?tab=2'})}"
    page = browser.get(place)
    assert page["Location"].startswith(reverse("login"))
    signed = browser.post(page["Location"], {"username": person.email, "password": "a-password-of-theirs"})
    assert (signed.status_code, signed["Location"]) == (302, place)
    assert _ticket(browser.get(place)).place == "/projects/1/data?tab=2"


def test_a_ticket_is_used_once(annotator: Client, people: dict[Role, User]) -> None:
    ticket = _ticket(annotator.get(reverse("studio"), {"place": "/projects/1/data"}))
    assert ticket.place == "/projects/1/data"
    body = {"entry": ticket.entry, "person": ticket.person}
    assert _ask("/label-studio/entries", body).json() == {"email": people[Role.ANNOTATOR].email}
    assert _ask("/label-studio/entries", body).status_code == 403


def test_a_ticket_that_was_not_used_has_no_permit(annotator: Client, tasks: list[LabelingTask]) -> None:
    ticket = _ticket(annotator.get(reverse("studio")))
    assert _permits(ticket).status_code == 403


def test_another_persons_number_goes_with_no_ticket(annotator: Client, people: dict[Role, User]) -> None:
    ticket = _ticket(annotator.get(reverse("studio")))
    number = people[Role.ADMINISTRATOR].label_studio_id
    assert _ask("/label-studio/entries", {"entry": ticket.entry, "person": number}).status_code == 403
    entered = _entered(annotator)
    assert _permits(Ticket(entered.entry, number or 0, "")).status_code == 403


def test_an_old_ticket_is_not_used(annotator: Client) -> None:
    ticket = _ticket(annotator.get(reverse("studio")))
    StudioEntry.objects.update(made_at=now() - timedelta(minutes=1))
    assert _ask("/label-studio/entries", {"entry": ticket.entry, "person": ticket.person}).status_code == 403


def test_while_label_studio_is_silent_the_browser_stays_here_and_a_page_says_what_to_do(
    people: dict[Role, User], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.undo()
    settings.LABEL_STUDIO_URL = "http://127.0.0.1:9"  # where nothing listens
    browser = Client(raise_request_exception=False)
    browser.force_login(people[Role.ANNOTATOR])
    answer = browser.get(reverse("studio"))
    assert answer.status_code == 503
    assert "Label Studio does not answer" in answer.content.decode()
    assert "Try again in a minute" in answer.content.decode()  # a reader of a page runs no command
    assert not StudioEntry.objects.exists()


@pytest.mark.parametrize("path", ["/label-studio/entries", "/label-studio/permits"])
def test_without_the_doors_secret_nothing_is_answered(path: str) -> None:
    for secret in ("", "x", webhook_secret()):
        assert _ask(path, {"entry": "a", "person": 1}, secret=secret).status_code == 401
    assert Client().get(path, headers={surroundings.HEADER: door_secret()}).status_code == 405


@pytest.mark.parametrize("body", ["", "[]", {"person": "x"}, {"entry": 3, "person": True}, {"person": -1}])
def test_a_request_that_is_none_is_refused(body: Any) -> None:
    assert _ask("/label-studio/permits", body).status_code in (400, 403)


def test_whoever_signs_out_here_has_no_permit_there(annotator: Client, tasks: list[LabelingTask]) -> None:
    ticket = _entered(annotator)
    assert _permits(ticket).status_code == 200
    annotator.post(reverse("logout"))
    assert _permits(ticket).status_code == 403


def test_when_the_session_ends_so_does_the_one_there(annotator: Client, tasks: list[LabelingTask]) -> None:
    ticket = _entered(annotator)
    Session.objects.update(expire_date=now() - timedelta(seconds=1))
    assert _permits(ticket).status_code == 403


def test_another_password_ends_what_the_former_began(annotator: Client, people: dict[Role, User]) -> None:
    ticket = _entered(annotator)
    people[Role.ANNOTATOR].set_password("another-password-of-theirs")
    people[Role.ANNOTATOR].save()
    assert _permits(ticket).status_code == 403


def test_who_loses_the_role_or_the_account_has_no_permit(people: dict[Role, User], tasks: list[LabelingTask]) -> None:
    tickets = {role: _entered(signed_in(people[role])) for role in (Role.ANNOTATOR, Role.RADIOLOGIST)}
    take_role(the_study(), people[Role.ANNOTATOR])
    close_person(people[Role.RADIOLOGIST])
    for role, ticket in tickets.items():
        assert _permits(ticket).status_code == 403, role


def test_nobody_and_who_has_no_study_get_no_ticket(people: dict[Role, User]) -> None:
    for path in (reverse("studio"), page_at("studio-of-study"), page_at("studio-of-slice", "C0001", 2)):
        assert "/accounts/login/" in Client().get(path)["Location"]
    stranger = User.objects.create_user("stranger@hospital.org")
    assert signed_in(stranger).get(reverse("studio")).status_code == 403
    assert signed_in(stranger).get(page_at("studio-of-study")).status_code == 404
    assert not StudioEntry.objects.exists()


def test_a_free_slice_is_claimed_by_who_opens_it_and_by_nobody_after(
    people: dict[Role, User], annotator: Client, tasks: list[LabelingTask]
) -> None:
    second = User.objects.create_user("second@hospital.org", label_studio_id=77)
    give_role(the_study(), second, Role.ANNOTATOR)
    path = page_at("studio-of-slice", "C0001", tasks[2].slice_index)
    assert _ticket(annotator.get(path)).place.endswith(f"?task={tasks[2].label_studio_id}")
    refused = signed_in(second).get(path)
    assert refused.status_code == 403
    assert _ticket(annotator.get(path)).person == people[Role.ANNOTATOR].label_studio_id
    assert signed_in(people[Role.RADIOLOGIST]).get(path).status_code == 403, "drawing is not theirs"


def test_another_sites_page_has_nobody_claim(annotator: Client, tasks: list[LabelingTask]) -> None:
    path = page_at("studio-of-slice", "C0001", tasks[2].slice_index)
    assert annotator.get(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert annotator.get(path, headers={"Sec-Fetch-Site": "none"}).status_code == 302


def test_permits_say_what_the_stages_say(people: dict[Role, User], tasks: list[LabelingTask]) -> None:
    client = signed_in(people[Role.ANNOTATOR])
    client.get(page_at("studio-of-slice", "C0001", tasks[2].slice_index))
    ticket = _entered(client)
    found = _permits(ticket, project=1, task=tasks[2].label_studio_id).json()
    assert found["administrates"] is False
    assert found["projects"] == [1]
    assert (found["tasks"], found["alone"]) == ([tasks[2].label_studio_id], [])
    assert found["permit"] == {
        "may_look": True, "may_draw": True, "may_prompt": True, "sees_others": True, "sees_model": True,
        "own_predictions": [], "hidden_predictions": [],
    }  # fmt: skip
    other = _permits(ticket, project=1, task=tasks[3].label_studio_id).json()["permit"]
    assert not any(other.values())
    manager = _permits(_entered(signed_in(people[Role.DATA_MANAGER])), project=1, task=tasks[3].label_studio_id).json()
    assert manager["tasks"] is None
    assert manager["permit"]["may_look"]
    assert not manager["permit"]["may_draw"]
    assert _permits(_entered(signed_in(people[Role.ADMINISTRATOR]))).json()["administrates"] is True


def test_a_list_asks_for_all_its_permits_at_once(
    people: dict[Role, User], tasks: list[LabelingTask], django_assert_num_queries: Any
) -> None:
    client = signed_in(people[Role.ANNOTATOR])
    for task in tasks[:2]:
        client.get(page_at("studio-of-slice", "C0001", task.slice_index))
    ticket = _entered(client)
    counts = []
    for numbers in ([tasks[0].label_studio_id], [task.label_studio_id for task in tasks]):
        with django_assert_num_queries(QUERIES_OF_A_LIST):
            found = _permits(ticket, project=1, each=numbers).json()["each"]
        counts.append(sum(permit["may_draw"] for permit in found.values()))
    assert counts == [1, 2]


QUERIES_OF_A_LIST = 14


def test_a_slice_that_came_back_opens_beside_its_list_from_every_side(
    annotator: Client, tasks: list[LabelingTask]
) -> None:
    task = tasks[2]
    annotator.get(page_at("studio-of-slice", "C0001", task.slice_index))
    LabelingTask.objects.filter(pk=task.pk).update(state=TaskState.RETURNED, mirrored_state=TaskState.RETURNED)
    ProjectTab.objects.create(project=task.project, purpose=TaskState.RETURNED.value, label_studio_id=8)
    beside = f"/projects/1/data?tab=8&task={task.label_studio_id}"
    assert _ticket(annotator.get(page_at("studio-of-slice", "C0001", task.slice_index))).place == beside
    asked = f"/projects/1/data?task={task.label_studio_id}"
    assert _ticket(annotator.get(reverse("studio"), {"place": asked})).place == beside
    chosen = f"/projects/1/data?tab=3&task={task.label_studio_id}"
    assert _ticket(annotator.get(reverse("studio"), {"place": chosen})).place == chosen, "whoever chose a tab keeps it"
    assert _ticket(annotator.get(page_at("studio-of-study"))).place == "/projects/1/data?tab=8"

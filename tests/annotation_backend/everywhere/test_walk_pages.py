"""Every address, asked by everybody with empty and absurd bodies: each answer is meant, none is an error of ours."""

from typing import Any

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.studio.credentials import basic_auth
from datasets.study.shipped_protocols import FIRST
from tests.annotation_backend.support.addresses import PLAIN, every_address, page_at
from tests.annotation_backend.support.records import published, registered_case, saved

pytestmark = pytest.mark.django_db

ABSURD: dict[str, Any] = {
    "study": "x" * 300, "rest": "x/" * 300,
    "code": "x" * 300, "role": "nobody", "index": 10**30, "token": "\x00é" * 900, "mask_id": 2**63, "pk": 10**40,
    "kind": "x" * 300, "figure": "x" * 300, "one": 2**70, "other": 0, "number": 10**25,
    "uidb36": "z" * 300, "key": "\x00é" * 900, "provider_id": "\x00é" * 100,
}  # fmt: skip
FORM = "application/x-www-form-urlencoded"
BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", FORM),
    "unknown fields": (b"x=y&action=nothing&verdict=perhaps&mask=-1", FORM),
    "NUL": (
        b"&".join(name + b"=%00" for name in (b"action", b"mask", b"verdict", b"reason", b"back", b"username")),
        FORM,
    ),
    "half characters": (b"username=%ed%a0%80&password=%ff&t1=%ff&back=%ff&mask=%ff&verdict=%ff", FORM),
    "huge": (b"&".join(name + b"=" + b"9" * 5000 for name in (b"mask", b"verdict", b"reason", b"username")), FORM),
    "too many fields": (b"&".join(b"f%d=1" % number for number in range(1500)), FORM),
    "JSON": (b"[" * 200, "application/json"),
    "no JSON": (b"\xff\xfe\x00", "application/json"),
    "another shape": (b'{"action": [], "annotation": {"task": {}}, "tasks": {}}', "application/json"),
    "broken multipart": (b"--x\r\n\xff", "multipart/form-data; boundary=x"),
    "multipart without boundary": (b"--x\r\n\xff", "multipart/form-data"),
    "another charset": (b"mask=\xff\xfe", f"{FORM}; charset=utf-7"),
    "no charset": (b"mask=\xff\xfe", f"{FORM}; charset=nonsense"),
}
ACTIONS = [
    *({"action": action} for action in ("judge", "redo", "exclude", "take_back")),
    {"action": "exclude", "reason": "x" * 5000},
    {"action": "judge", "verdict": "accept", "record_sha256": "0"},
]


@pytest.fixture(params=[*Role, "nobody", "label studio"], ids=str)
def asking(request: pytest.FixtureRequest, people: dict[Role, User]) -> Client:
    headers = {"Authorization": basic_auth()} if request.param == "label studio" else {}
    client = Client(raise_request_exception=False, headers=headers)
    if request.param in people:
        client.force_login(people[request.param])
    return client


@pytest.mark.slow
def test_no_address_fails_whoever_asks_and_whatever_is_sent(asking: Client, mask: CaseMask) -> None:
    failed = []
    for pattern in every_address():
        for values in (PLAIN, {**ABSURD, "study": FIRST}, ABSURD):
            address = pattern.of(values)
            answers = {"GET": asking.get(address, {"slice": "9" * 40, "verdict": "\0", "window": "\0", "next": "//x"})}
            answers["plain GET"] = asking.get(address)
            bodies = BODIES if values is PLAIN else {"empty": BODIES["empty"]}
            if pattern.name != "logout":
                answers |= {name: asking.generic("POST", address, *body) for name, body in bodies.items()}
            failed += [
                (pattern.name, name, answer.status_code)
                for name, answer in answers.items()
                if answer.status_code >= 500 and answer.status_code != 503
            ]
    assert failed == []


def test_no_action_on_a_registration_fails(asking: Client, mask: CaseMask) -> None:
    address = page_at("registration-page", "C0001")
    answers = [asking.post(address, action).status_code for action in ACTIONS]
    assert [status for status in answers if status >= 500] == []


def test_a_verdict_without_anything_in_it_is_a_wrong_request(
    client: Client, people: dict[Role, User], mask: CaseMask
) -> None:
    client.force_login(people[Role.RADIOLOGIST])
    assert client.post(page_at("review-case", "C0001")).status_code == 400


def test_the_page_says_that_a_mask_is_not_there_yet_and_not_that_nobody_drew(
    client: Client, people: dict[Role, User]
) -> None:
    case = registered_case()
    tasks = published(case)
    client.force_login(people[Role.RADIOLOGIST])
    address = page_at("review-case", case.code)
    assert "No slice of this case was submitted yet" in client.get(address).content.decode()
    saved(tasks[0])
    shown = client.get(address).content.decode()
    assert "No slice of this case was submitted yet" not in shown
    assert "a worker puts them together into a mask" in shown
    assert Case.objects.get().masks.count() == 0

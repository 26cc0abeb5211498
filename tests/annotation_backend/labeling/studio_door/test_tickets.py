"""Tickets: signed, good for half a minute, for places of Label Studio's own alone."""

import pytest
from django.core import signing

from annotation_backend.labeling.studio_door.tickets import (
    GOOD_SECONDS,
    START,
    NoTicket,
    Ticket,
    opened,
    place_of,
    sealed,
)

SECRET = "0123456789abcdef"
TICKET = Ticket("word", 4, "/projects/1/data?task=3")


def test_what_was_sealed_is_opened() -> None:
    assert opened(sealed(TICKET, SECRET), SECRET) == TICKET


def test_another_secret_opens_nothing() -> None:
    with pytest.raises(NoTicket):
        opened(sealed(TICKET, SECRET), SECRET[::-1])


def test_a_changed_ticket_opens_nothing() -> None:
    word = sealed(TICKET, SECRET)
    for at in (0, len(word) // 2, len(word) - 1):
        changed = word[:at] + ("A" if word[at] != "A" else "B") + word[at + 1 :]
        with pytest.raises(NoTicket):
            opened(changed, SECRET)


def test_an_old_ticket_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    word = sealed(TICKET, SECRET)
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + GOOD_SECONDS + 1)
    with pytest.raises(NoTicket):
        opened(word, SECRET)


@pytest.mark.parametrize("value", [{}, {"entry": "a"}, [], "word", {"entry": "a", "person": "x", "place": "/"}])
def test_something_else_that_was_signed_is_no_ticket(value: object) -> None:
    with pytest.raises(NoTicket):
        opened(signing.dumps(value, key=SECRET, salt="annotation_backend.labeling.studio_door.tickets"), SECRET)


@pytest.mark.parametrize(
    "wanted",
    [
        *("", "projects/1", "//evil.org/", "///evil.org", "/\\evil.org", "https://evil.org/", "javascript:alert(1)"),
        *("/maskloop/enter?ticket=x", "/user/login/?next=//evil.org", "/logout", "/api/projects/", "/projects/\n//e"),
        "/projects/" + 3000 * "x",
    ],
)
def test_no_ticket_leads_elsewhere(wanted: str) -> None:
    assert place_of(wanted) == START


@pytest.mark.parametrize("wanted", ["/projects/", "/projects/1/data?task=3", "/projects/1/data?tab=2&task=9"])
def test_label_studios_own_pages_are_places(wanted: str) -> None:
    assert place_of(wanted) == wanted

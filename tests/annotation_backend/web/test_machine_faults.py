"""A database that is busy, a disk that is full: pages answer 503 in words, a session that cannot be kept too."""

import errno
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from django.db import IntegrityError, OperationalError, connection
from django.db.backends.signals import connection_created
from django.test import Client

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import email_of
from annotation_backend.environment import password_variable
from annotation_backend.labeling.studio.credentials import webhook_headers
from annotation_backend.labeling.studio.web_patience import DATABASE_SECONDS, bound_database_waits
from annotation_backend.web.machine_faults import refusal_of
from datasets.errors import RejectedInput, TryAgain
from tests.annotation_backend.support.records import accounts


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperationalError("database is locked"), "database-busy"),
        (OperationalError("database table is locked: x"), "database-busy"),
        (OperationalError("canceling statement due to lock timeout"), "database-busy"),
        (OperationalError("database or disk is full"), "disk-full"),
        (OperationalError("disk I/O error"), "disk-full"),
        (OperationalError("attempt to write a readonly database"), "disk-full"),
        (OperationalError("connection refused"), "database-down"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full"),
        (OSError(errno.EFBIG, "File too large"), "disk-full"),
        (OSError(errno.ENOENT, "No such file"), None),
        (IntegrityError("unique"), None),
        (RejectedInput("a", "b", remedy="c"), None),
        (KeyError("a"), None),
        (None, None),
    ],
)
def test_what_may_pass_is_told_from_a_fault_of_ours(error: BaseException | None, code: str | None) -> None:
    refusal = refusal_of(error)
    assert (refusal.code if refusal else None) == code


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (OperationalError("database is locked"), 503, "busy with something else"),
        (OSError(errno.ENOSPC, "/data/Miller"), 503, "Nothing can be written"),
        (KeyError("Miller"), 500, "A fault of ours"),
    ],
)
def test_a_page_that_breaks_off_says_why_and_no_more(
    browser: Client, monkeypatch, error, status: int, words: str
) -> None:
    browser.force_login(accounts()[Role.DATA_MANAGER])

    def broken(_study: object) -> None:
        raise error

    monkeypatch.setattr("annotation_backend.pages.overview.cases_with_a_mask", broken)
    answer = browser.get("/")
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert "Miller" not in answer.content.decode()
    assert ("Retry-After" in answer) == (status == 503)


@pytest.mark.django_db
def test_a_save_that_cannot_be_stored_now_is_answered_in_json(browser: Client, monkeypatch) -> None:
    def broken(_body: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("annotation_backend.labeling.views.webhook.receive", broken)
    answer = browser.post("/ml/webhook", data=b"{}", content_type="application/json", headers=webhook_headers())
    assert answer.status_code == 503
    assert json.loads(answer.content)["code"] == "database-busy"


@contextmanager
def _locked() -> Iterator[None]:
    """Another connection writes to the test's database for as long as the block lasts."""
    over, begun = threading.Event(), threading.Event()

    def hold() -> None:
        other = sqlite3.connect(connection.settings_dict["NAME"], uri=True, timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        begun.set()
        over.wait()
        other.execute("ROLLBACK")
        other.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(5)
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_signing_in_while_somebody_else_writes_is_refused_in_words(browser: Client, monkeypatch) -> None:
    """The session is what cannot be kept: no view broke."""
    import os

    accounts()
    form = {"username": email_of(Role.ANNOTATOR), "password": os.environ[password_variable(Role.ANNOTATOR.value)]}
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 100")
    try:
        with _locked():
            answer = browser.post("/accounts/login/", form)
            assert answer.status_code == 503
            assert "busy with something else" in answer.content.decode()
            assert browser.get("/alive").status_code == 200
        assert browser.post("/accounts/login/", form).status_code == 302
    finally:
        connection.close()


@pytest.mark.django_db
@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_the_web_service_waits_for_the_database_no_longer_than_a_page_may_take() -> None:
    with connection.cursor() as cursor:
        [before] = cursor.execute("PRAGMA busy_timeout").fetchone()
        try:
            bound_database_waits()
            connection_created.send(sender=type(connection), connection=connection)
            assert cursor.execute("PRAGMA busy_timeout").fetchone() == (5000,) == (DATABASE_SECONDS * 1000,)
        finally:
            connection_created.disconnect(dispatch_uid="web-patience")
            cursor.execute(f"PRAGMA busy_timeout = {before}")


@pytest.mark.django_db
def test_a_page_that_asks_label_studio_waits_a_few_seconds_altogether(browser: Client, monkeypatch) -> None:
    from annotation_backend.labeling.studio import client

    waits: list[float] = []

    def never_answers(*_words: object, timeout: tuple[float, float], **_options: object) -> None:
        waits.append(timeout[1])
        raise requests.ConnectionError

    def asks(**_options: object) -> bool:
        with pytest.raises(TryAgain, match="label-studio-down"):
            client.call("GET", "/api/version")
        return True

    monkeypatch.setattr(client.requests, "request", never_answers)
    monkeypatch.setattr("annotation_backend.pages.home.is_up", asks)
    browser.force_login(accounts()[Role.DATA_MANAGER])
    assert browser.get("/").status_code == 200
    [in_a_page] = waits
    assert 0 < in_a_page <= 8
    asks()
    assert waits[1] > 50

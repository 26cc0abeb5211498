"""Time limits of a page: for Label Studio, and for a database that somebody else writes to."""

from collections.abc import Callable
from typing import Any

from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse

from annotation_backend.labeling.studio.client import answers_within

STUDIO_SECONDS = 8.0
"""Longest wait for all that one request asks of Label Studio; anything longer is a job."""

DATABASE_SECONDS = 5.0
"""Longest wait for a locked SQLite database in the web service; commands and jobs wait longer."""


class WebPatience:
    """Bounds how long a request waits for Label Studio; after that the page says that it did not answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answers a request within these limits."""
        with answers_within(STUDIO_SECONDS):
            return self._get_response(request)


def bound_database_waits() -> None:
    """Makes every connection of this process wait `DATABASE_SECONDS` for its turn, rather than as long as a job."""
    connection_created.connect(_bound, dispatch_uid="web-patience")


def _bound(*, connection: Any, **_signal: Any) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {int(DATABASE_SECONDS * 1000)}")
    elif connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{int(DATABASE_SECONDS * 1000)}ms'")

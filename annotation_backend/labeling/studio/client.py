"""All requests to Label Studio: bounded in time, outside of transactions, with errors that say what to do."""

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests
import urllib3
from django.conf import settings
from django.db import connection

from datasets.errors import ProgramFault, RejectedInput, TryAgain

CONNECT_SECONDS, TIMEOUT_SECONDS = 3.0, 60.0
"""Limits for a connection, and for a whole answer, where nobody waits at a page for it."""

_PIECE_BYTES = 1 << 18

LARGEST_ANSWER_BYTES = 1 << 29
"""Unpacked. The largest that is asked for, 200 tasks with all their drawings, is a tenth of it."""

TOKENS_OFF = "label-studio-tokens-off"

_SWITCHED_OFF = "legacy token authentication has been disabled"
"""Label Studio's words, in its answer to a right token."""

_NO_ADDRESS = (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema)

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def answers_within(seconds: float) -> Iterator[None]:
    """Bounds the time of all requests in the block together: somebody waits at a page for them."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def call(method: str, path: str, **kwargs: Any) -> Any:
    """Sends one request to Label Studio and returns its answer.

    Args:
        method: HTTP verb.
        path: Path from the server's root, e.g. ``/api/projects/1/import``.
        kwargs: As for `requests.request`.

    Returns:
        The decoded JSON, or None for an empty body. The caller checks its shape (`labeling.studio.answers`).

    Raises:
        TryAgain, RejectedInput, ProgramFault: As `readable_errors`.
    """
    with readable_errors():
        until = _end()
        response = requests.request(
            method,
            settings.LABEL_STUDIO_URL + path,
            headers={"Authorization": f"Token {settings.LABEL_STUDIO_TOKEN}"},
            timeout=_patience(until),
            allow_redirects=False,  # a redirected POST would become a GET, and the token would go elsewhere
            stream=True,
            **kwargs,
        )
        with response:
            response._content = _read(response, until)
            if response.is_redirect:
                raise _redirected()
            response.raise_for_status()
            return _decoded(response)


def unless_missing(method: str, path: str, **kwargs: Any) -> Any:
    """As `call`; None where Label Studio has no such thing (any more)."""
    try:
        return call(method, path, **kwargs)
    except RejectedInput as error:
        if error.code != "label-studio-missing":
            raise
        return None


def is_up(*, seconds: float = 3.0) -> bool:
    """Whether the server answers its health check now."""
    require_no_transaction()
    try:
        return bool(requests.get(f"{settings.LABEL_STUDIO_URL}/health", timeout=seconds).ok)
    except requests.RequestException:
        return False


def require_up() -> None:
    """Asks the server for its health.

    Raises:
        TryAgain: Label Studio does not answer (``label-studio-down``).
    """
    if not is_up():
        raise _silent()


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turns exceptions of `requests` into our families of errors.

    Raises:
        TryAgain: Label Studio does not answer (``label-studio-down``), fails (``label-studio-error``), or its answer is
            cut, a page, or in another encoding (``label-studio-answer``).
        RejectedInput: It refuses the token (``label-studio-token``), does not have what we ask for
            (``label-studio-missing``), or its address is none (``label-studio-address``).
        ProgramFault: It refuses our request as malformed, or we asked inside a transaction (``http-in-transaction``).
    """
    require_no_transaction()
    try:
        yield
    except requests.HTTPError as error:
        raise _refusal(error.response.status_code, error.response.text) from error
    except _NO_ADDRESS as error:
        raise RejectedInput(
            "label-studio-address",
            "LABEL_STUDIO_URL is no address such as http://127.0.0.1:8080.",
            remedy="Correct it in .env and restart.",
        ) from error
    except (urllib3.exceptions.ProtocolError, http.client.HTTPException) as error:
        raise unreadable("half an answer") from error
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise _silent() from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, RecursionError, UnicodeError) as error:
        raise unreadable("something that is no JSON") from error


def require_no_transaction() -> None:
    """Refuses to wait for another server while a transaction is open here: the database would wait as well, and with it
    everybody else. The transaction that a test case is wrapped in does not count.

    Raises:
        ProgramFault: ``http-in-transaction``.
    """
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise ProgramFault(
            "http-in-transaction", "Label Studio was to be asked inside a database transaction.", remedy="Report it."
        )


def unreadable(what: str) -> TryAgain:
    """The error for an answer that is none."""
    return TryAgain(
        "label-studio-answer",
        f"Label Studio answered with {what}.",
        remedy="Run it again. If that stays: does a proxy answer in its place? See data/logs/label_studio.log.",
    )


def _end() -> float:
    """The deadline of the next answer, by the monotonic clock."""
    longest = time.monotonic() + TIMEOUT_SECONDS
    deadline = _deadline.get()
    return longest if deadline is None else min(longest, deadline)


def _patience(until: float) -> tuple[float, float]:
    left = until - time.monotonic()
    if left <= 0:
        raise _silent()
    return min(CONNECT_SECONDS, left), left


def _read(response: requests.Response, until: float) -> bytes:
    """The whole body, unless it drips in for longer than we wait, or has no end."""
    pieces, size = [], 0
    while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):  # what is there, not as much as was asked for
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_ANSWER_BYTES:
            raise unreadable(f"more than {LARGEST_ANSWER_BYTES >> 20} MB")
        if time.monotonic() > until:
            raise _silent()
    return b"".join(pieces)


def _decoded(response: requests.Response) -> Any:
    try:
        return response.json() if response.content else None
    except ValueError as error:  # also a number of more digits than Python reads
        raise unreadable("something that is no JSON") from error


def _silent() -> TryAgain:
    return TryAgain(
        "label-studio-down",
        "Label Studio does not answer.",
        remedy="Try again in a minute; else an operator starts it (`make up`) or looks at data/logs/label_studio.log.",
    )


def _redirected() -> RejectedInput:
    return RejectedInput(
        "label-studio-redirect",
        "Label Studio sends us on to another address.",
        remedy="Put the address at which it answers itself into .env as LABEL_STUDIO_URL (https?) and restart.",
    )


def _refusal(status: int, body: str) -> Exception:
    if status == 401 and _SWITCHED_OFF in body:
        return RejectedInput(
            TOKENS_OFF,
            "Somebody switched legacy API tokens off in Label Studio; ours is one.",
            remedy="`manage.py pull_annotations` switches them on again; or do it in Label Studio as its administrator "
            "under Organization, API Tokens Settings.",
        )
    if status in (401, 403):
        return RejectedInput(
            "label-studio-token",
            "Label Studio refuses our token.",
            remedy="Put the administrator's legacy token (Account & Settings in Label Studio) into .env as "
            "LABEL_STUDIO_TOKEN and restart.",
        )
    if status == 404:
        return RejectedInput(
            "label-studio-missing",
            "Label Studio does not have what we asked for (404).",
            remedy="Was a project or task deleted there? Run `manage.py publish_tasks` to publish it again.",
        )
    if status == 413:
        return RejectedInput(
            "label-studio-request-size",
            "Our request is larger than what answers at LABEL_STUDIO_URL takes (413).",
            remedy="Does a proxy stand before Label Studio? Let it take requests of 100 MB (nginx: "
            "client_max_body_size), then run it again.",
        )
    if status >= 500 or status in (408, 429):
        return TryAgain("label-studio-error", f"Label Studio failed with status {status}.", remedy="Run it again.")
    return ProgramFault(
        "label-studio-request",
        f"Label Studio refused our request with status {status}: {body[:300]}",
        remedy="Report it.",
    )

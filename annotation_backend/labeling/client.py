"""One way to talk to Label Studio: the SDK behind errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests
from django.conf import settings

from datasets.errors import ProgramFault, RejectedInput, TryAgain

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

TOKENS_OFF = "label-studio-tokens-off"

_SWITCHED_OFF = "legacy token authentication has been disabled"
"""Label Studio's words, in its answer to a right token."""

TIMEOUT_SECONDS = 60


def sdk() -> "LabelStudio":
    """Label Studio's own Python client, with our token."""
    from label_studio_sdk import LabelStudio

    return LabelStudio(base_url=settings.LABEL_STUDIO_URL, api_key=settings.LABEL_STUDIO_TOKEN, timeout=TIMEOUT_SECONDS)


def call(method: str, path: str, **kwargs: Any) -> Any:
    """One request for what the SDK has no method for (or has one that differs from the server).

    Args:
        method: HTTP verb.
        path: Path from the server's root, e.g. ``/api/projects/1/import``.
        kwargs: As for `requests.request`.

    Returns:
        The decoded JSON, or None for an empty body.
    """
    with readable_errors():
        response = requests.request(
            method,
            settings.LABEL_STUDIO_URL + path,
            headers={"Authorization": f"Token {settings.LABEL_STUDIO_TOKEN}"},
            timeout=TIMEOUT_SECONDS,
            **kwargs,
        )
        response.raise_for_status()
        return response.json() if response.content else None


def unless_missing(method: str, path: str, **kwargs: Any) -> Any:
    """As `call`; None where Label Studio has no such thing (any more)."""
    try:
        return call(method, path, **kwargs)
    except RejectedInput as error:
        if error.code != "label-studio-missing":
            raise
        return None


def is_up() -> bool:
    """Whether the server answers its health check now."""
    try:
        return bool(requests.get(f"{settings.LABEL_STUDIO_URL}/health", timeout=3).ok)
    except requests.RequestException:
        return False


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turns what the SDK and requests raise into our families.

    Raises:
        TryAgain: Label Studio does not answer (``label-studio-down``) or fails (``label-studio-error``).
        RejectedInput: It refuses the token (``label-studio-token``) or does not know what we ask for
            (``label-studio-missing``).
        ProgramFault: It refuses our request as malformed.
    """
    import httpx
    from label_studio_sdk.core.api_error import ApiError

    try:
        yield
    except (requests.ConnectionError, requests.Timeout, httpx.TransportError) as error:
        raise TryAgain(
            "label-studio-down",
            "Label Studio does not answer.",
            remedy="Start it with `make up` (or look at data/logs/label_studio.log) and run the command again.",
        ) from error
    except requests.HTTPError as error:
        raise _refusal(error.response.status_code, error.response.text) from error
    except ApiError as error:
        raise _refusal(error.status_code or 0, str(error.body)) from error


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
            "Label Studio does not know what we asked for (404).",
            remedy="Was a project or task deleted there? Run `manage.py publish_tasks` to publish it again.",
        )
    if status >= 500 or status == 429:
        return TryAgain("label-studio-error", f"Label Studio failed with status {status}.", remedy="Run it again.")
    return ProgramFault(
        "label-studio-request",
        f"Label Studio refused our request with status {status}: {body[:300]}",
        remedy="Report it.",
    )

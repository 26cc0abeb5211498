"""The JSON object in a request of Label Studio's, and what is answered where there is none."""

import json
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError

from datasets.errors import RejectedInput

_TOO_LARGE = "request-too-large"


def json_object(request: HttpRequest) -> dict[str, Any]:
    """The request's body.

    Raises:
        RejectedInput: It is larger than DATA_UPLOAD_MAX_MEMORY_SIZE (``request-too-large``), is no JSON object, or was
            not sent to its end (``request-malformed``).
    """
    try:
        body = json.loads(request.body)
    except RequestDataTooBig as error:
        raise RejectedInput(
            _TOO_LARGE,
            "Expected a smaller request.",
            remedy="Raise DATA_UPLOAD_MAX_MEMORY_SIZE; reconciliation takes saves over meanwhile.",
        ) from error
    except UnreadablePostError as error:
        raise malformed("a whole JSON object, from somebody who waits for the answer") from error
    except (ValueError, RecursionError) as error:
        raise malformed("a JSON object") from error
    if not isinstance(body, dict):
        raise malformed("a JSON object")
    return body


def malformed(expected: str) -> RejectedInput:
    """Something that no request of Label Studio looks like."""
    return RejectedInput(
        "request-malformed", f"Expected {expected}.", remedy="Is it Label Studio 1.23 that sends this request?"
    )


def status_of(error: RejectedInput) -> int:
    """The status of an answer that refuses a request."""
    return 413 if error.code == _TOO_LARGE else 400

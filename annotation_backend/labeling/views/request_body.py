"""Requests of Label Studio: the JSON object in the body, and the answers that refuse one."""

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError

from annotation_backend.inference.serving.admission import Overloaded
from datasets.errors import MaskloopError, RejectedInput

logger = logging.getLogger(__name__)

View = Callable[[HttpRequest], HttpResponse]

_TOO_LARGE = "request-too-large"


def json_object(request: HttpRequest) -> dict[str, Any]:
    """The JSON object in a request's body.

    Raises:
        RejectedInput: It is larger than DATA_UPLOAD_MAX_MEMORY_SIZE (``request-too-large``), is no JSON object, or was
            not sent to its end (``request-malformed``).
    """
    try:
        body = json.loads(request.body)
    except RequestDataTooBig as error:
        raise RejectedInput(
            _TOO_LARGE,
            "The request is too large.",
            remedy="Raise DATA_UPLOAD_MAX_MEMORY_SIZE; reconciliation takes saves over meanwhile.",
        ) from error
    except UnreadablePostError as error:
        raise malformed("a whole JSON object, but the client disconnected") from error
    except (ValueError, RecursionError) as error:
        raise malformed("a JSON object") from error
    if not isinstance(body, dict):
        raise malformed("a JSON object")
    return body


def malformed(expected: str) -> RejectedInput:
    """The refusal of a request that Label Studio would not send."""
    return RejectedInput(
        "request-malformed",
        f"The request cannot be read: expected {expected}.",
        remedy="Is it Label Studio 1.23 that sends this request?",
    )


def errors_answered(view: View) -> View:
    """A view whose errors of ours become answers that Label Studio can show; the log has them too."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except Overloaded as error:  # many at once, each told when to come again
            return _refusal(error)
        except RejectedInput as error:
            logger.warning("%s refused: %s", request.path, error)
            return _refusal(error)
        except MaskloopError as error:
            logger.exception("%s failed", request.path)
            return _refusal(error)

    return guarded


def _refusal(error: MaskloopError) -> HttpResponse:
    """The answer to a request that failed: 400 or 413 for refused input, 503 for anything that may succeed later."""
    status = 503
    if isinstance(error, RejectedInput):
        status = 413 if error.code == _TOO_LARGE else 400
    answer = JsonResponse({"error": str(error), "code": error.code}, status=status)
    if isinstance(error, Overloaded):
        answer["Retry-After"] = str(error.retry_after)
    return answer

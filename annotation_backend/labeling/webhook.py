"""The webhook: Label Studio says that something was saved, with a secret that opens nothing else."""

import json
import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from annotation_backend.labeling.events import receive
from annotation_backend.labeling.project import basic_auth
from annotation_backend.labeling.webhook_secret import SECRET_HEADER, webhook_secret
from datasets.errors import MaskloopError, RejectedInput

logger = logging.getLogger(__name__)


@csrf_exempt
def webhook(request: HttpRequest) -> HttpResponse:
    """Stores what was saved, at once; Label Studio waits one second and never asks again."""
    if not _comes_from_label_studio(request):
        answer = JsonResponse({"error": f"The header {SECRET_HEADER} is required."}, status=401)
        answer["WWW-Authenticate"] = 'Basic realm="maskloop"'
        return answer
    return _take(request)


@require_POST
def _take(request: HttpRequest) -> HttpResponse:
    try:
        return JsonResponse({"received": receive(_body(request))})
    except RequestDataTooBig:
        error = "Expected a smaller save. Raise DATA_UPLOAD_MAX_MEMORY_SIZE; reconciliation takes it over meanwhile."
        return JsonResponse({"error": error, "code": "request-too-large"}, status=413)
    except RejectedInput as error:
        logger.warning("a webhook was refused: %s", error)
        return JsonResponse({"error": str(error), "code": error.code}, status=400)
    except MaskloopError as error:
        logger.exception("a webhook failed")
        return JsonResponse({"error": str(error), "code": error.code}, status=503)


def _comes_from_label_studio(request: HttpRequest) -> bool:
    """The webhook's own secret, or the ML backend's, which an installation set up before sends until `up` runs."""
    own = constant_time_compare(request.headers.get(SECRET_HEADER, ""), webhook_secret())
    basic = constant_time_compare(request.headers.get("Authorization", ""), basic_auth())
    return own or basic


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except RequestDataTooBig:
        raise
    except (ValueError, RecursionError) as error:
        raise _malformed() from error
    if not isinstance(body, dict):
        raise _malformed()
    return body


def _malformed() -> RejectedInput:
    return RejectedInput(
        "request-malformed", "Expected a JSON object.", remedy="Is it Label Studio 1.23 that sends this request?"
    )

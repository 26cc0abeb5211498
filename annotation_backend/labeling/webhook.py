"""The webhook: Label Studio says that something was saved, with a secret that opens nothing else."""

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from annotation_backend.labeling.events import receive
from annotation_backend.labeling.project import basic_auth
from annotation_backend.labeling.request_body import json_object, status_of
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
        return JsonResponse({"received": receive(json_object(request))})
    except RejectedInput as error:
        logger.warning("a webhook was refused: %s", error)
        return JsonResponse({"error": str(error), "code": error.code}, status=status_of(error))
    except MaskloopError as error:
        logger.exception("a webhook failed")
        return JsonResponse({"error": str(error), "code": error.code}, status=503)


def _comes_from_label_studio(request: HttpRequest) -> bool:
    """The webhook's own secret, or the ML backend's, which an installation set up before sends until `up` runs."""
    own = constant_time_compare(request.headers.get(SECRET_HEADER, ""), webhook_secret())
    basic = constant_time_compare(request.headers.get("Authorization", ""), basic_auth())
    return own or basic

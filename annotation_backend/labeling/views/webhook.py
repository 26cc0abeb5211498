"""The webhook: Label Studio says that something was saved, with a secret that opens nothing else."""

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from annotation_backend.labeling.saves.store import receive
from annotation_backend.labeling.studio.credentials import SECRET_HEADER, basic_auth, webhook_secret
from annotation_backend.labeling.views.request_body import json_object, refusal_answer
from datasets.errors import MaskloopError, RejectedInput

TRAINING_ACTION = "START_TRAINING"

logger = logging.getLogger(__name__)


@csrf_exempt
def webhook(request: HttpRequest) -> HttpResponse:
    """Stores a save at once: Label Studio waits one second for the answer and never sends the save again."""
    if _shows(request, SECRET_HEADER, webhook_secret()):
        return _take(request)
    if _shows(request, "Authorization", basic_auth()):
        return _take_training(request)
    answer = JsonResponse({"error": f"The header {SECRET_HEADER} is required."}, status=401)
    answer["WWW-Authenticate"] = 'Basic realm="maskloop"'
    return answer


@require_POST
def _take_training(request: HttpRequest) -> HttpResponse:
    """The one thing that Label Studio sends here as it sends prompts: its button for training was pressed."""
    try:
        is_training = json_object(request).get("action") == TRAINING_ACTION
    except RejectedInput as error:
        return refusal_answer(error)
    if not is_training:
        return JsonResponse({"error": f"The header {SECRET_HEADER} is required."}, status=401)
    return _take(request)


@require_POST
def _take(request: HttpRequest) -> HttpResponse:
    try:
        return JsonResponse({"received": receive(json_object(request))})
    except RejectedInput as error:
        logger.warning("a webhook was refused: %s", error)
        return refusal_answer(error)
    except MaskloopError as error:
        logger.exception("a webhook failed")
        return refusal_answer(error)


def _shows(request: HttpRequest, header: str, secret: str) -> bool:
    return constant_time_compare(request.headers.get(header, ""), secret)

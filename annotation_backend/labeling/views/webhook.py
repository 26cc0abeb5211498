"""The webhook: Label Studio says that something was saved, with a secret that opens nothing else."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from annotation_backend.labeling.saves.store import receive
from annotation_backend.labeling.studio.credentials import SECRET_HEADER, basic_auth, webhook_secret
from annotation_backend.labeling.views.request_body import errors_answered, json_object

TRAINING_ACTION = "START_TRAINING"


@csrf_exempt
@errors_answered
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
    if json_object(request).get("action") != TRAINING_ACTION:
        return JsonResponse({"error": f"The header {SECRET_HEADER} is required."}, status=401)
    return _take(request)


@require_POST
def _take(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"received": receive(json_object(request))})


def _shows(request: HttpRequest, header: str, secret: str) -> bool:
    return constant_time_compare(request.headers.get(header, ""), secret)

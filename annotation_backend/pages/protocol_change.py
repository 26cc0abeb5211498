"""The data manager's page that gives a study a later version of its protocol."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import ProtocolVersion, Study
from annotation_backend.studies.pages import study_page
from annotation_backend.studies.services import FinishedCases, change_protocol
from datasets.errors import RejectedInput
from datasets.finding import Finding

_SHOWN_VERSIONS = 20
_ASKED = "protocol-stage-added"


@study_page(Role.DATA_MANAGER)
@require_http_methods(["GET", "POST"])
def protocol_change(request: HttpRequest, study: Study) -> HttpResponse:
    """Shows the document in force, takes a later version, and asks what becomes of finished cases where it has to."""
    document, said = study.document, request.POST.get("finished", "")
    refused: RejectedInput | None = None
    if request.method == "POST":
        document = request.POST.get("document", "").replace("\r\n", "\n")
        finished = FinishedCases(said) if said in tuple(FinishedCases) else None
        try:
            _change(request, study, document, finished)
        except RejectedInput as error:
            refused = error
        else:
            return redirect(page_of(study, "study"))
        study.refresh_from_db()
    context: dict[str, Any] = {
        "document": document,
        "protocol": study.protocol,
        "refused": refused,
        "asks": said in tuple(FinishedCases) or (refused is not None and refused.code == _ASKED),
        "said": said,
        "versions": ProtocolVersion.objects.filter(study=study)
        .select_related("person")
        .order_by("-pk")[:_SHOWN_VERSIONS],
    }
    return render(request, "pages/protocol_change.html", context, status=409 if refused else 200)


def _change(request: HttpRequest, study: Study, document: str, finished: FinishedCases | None) -> None:
    """Changes the protocol and tells what came of it."""
    findings: list[Finding] = []
    person = signed_in_user(request)
    if not change_protocol(study, document, person=person, finished=finished, findings=findings):
        messages.info(request, "The document says what the one in force says: nothing was changed.")
        return
    messages.success(request, f"Version {study.protocol.version} of the protocol is in force.")
    if finished is FinishedCases.OPEN:
        messages.info(request, "What it adds is being opened for the finished cases; this may take a moment.")
    for finding in findings[:_SHOWN_VERSIONS]:
        messages.warning(request, str(finding))

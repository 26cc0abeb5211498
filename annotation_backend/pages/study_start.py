"""A study's first page: what waits, its protocol, its people; and the protocol's document."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.pages.overview import Overview
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import first_role_of, may, study_page
from annotation_backend.work.own import counts_of


@study_page()
@require_GET
def start(request: HttpRequest, study: Study) -> HttpResponse:
    """The study's first page; who its people are is for data managers."""
    person = signed_in_user(request)
    theirs = counts_of(person)
    manages = may(request, Role.DATA_MANAGER)
    context = {
        "one": Overview(study, first_role_of(request), theirs.get(study.pk, {}).get("open", 0), person),
        "protocol": study.protocol,
        "may_manage": manages,
        "members": study.memberships.select_related("person").order_by("role", "person__username") if manages else [],
    }
    return render(request, "pages/study.html", context)


@study_page(Role.DATA_MANAGER)
@require_GET
def protocol_document(request: HttpRequest, study: Study) -> HttpResponse:
    """The protocol as it is in force, as a person gave it."""
    answer = HttpResponse(study.document, content_type="application/toml; charset=utf-8")
    protocol = study.protocol
    answer["Content-Disposition"] = f'attachment; filename="{protocol.name}-{protocol.version}.toml"'
    answer["Cache-Control"] = "private, no-store"
    return answer

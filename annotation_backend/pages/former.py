"""Addresses of pages from before there were studies, as bookmarks, tasks and stored texts hold them."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponsePermanentRedirect, HttpResponseRedirect
from django.http.response import HttpResponseRedirectBase
from django.urls import Resolver404, ResolverMatch, path, resolve, reverse
from django.views.decorators.http import require_http_methods

from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import Case, Patient
from annotation_backend.labeling.models import AnnotationFinding, CaseMask, StudioChange
from annotation_backend.publishing.models import Release
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import studies_of

PLACES = ("cases", "review", "releases", "findings", "settings", "models")
"""First words of these addresses; below a study they are the same."""

_NO_STUDY = "/studies/-"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def former_page(request: HttpRequest, **_values: str) -> HttpResponseRedirectBase:
    """Leads to the page of the study that the address is about, where that is there for the person.

    An address that is about no one study leads to the person's only one, or to the first page.
    """
    match = _page(request.path_info)
    mine = studies_of(signed_in_user(request))
    owner = _owner_of(match)
    query = f"?{request.META['QUERY_STRING']}" if request.META.get("QUERY_STRING") else ""
    keeps_method = request.method == "POST"  # a form of a page that was loaded before
    if owner is None:
        only = list(mine[:2])
        if len(only) != 1:
            return HttpResponseRedirect(reverse("home"))
        return HttpResponseRedirect(_address(match, only[0]) + query, preserve_request=keeps_method)
    study = mine.filter(pk__in=owner).first()
    if study is None:
        raise Http404
    return HttpResponsePermanentRedirect(_address(match, study) + query, preserve_request=keeps_method)


def _page(address: str) -> ResolverMatch:
    """The page of a study that has this address within it; also where its last slash was left out."""
    for tried in (address, f"{address}/"):
        try:
            return resolve(f"{_NO_STUDY}{tried}")
        except Resolver404:
            continue
    raise Http404


def _address(match: ResolverMatch, study: Study) -> str:
    return reverse(str(match.url_name), kwargs={**match.kwargs, "study": study.name})


def _owner_of(match: ResolverMatch) -> QuerySet[Any] | None:
    """The study of what an address names, by a query for its key; None where it names nothing of a study."""
    values: Mapping[str, Any] = match.kwargs
    find = _BY_NAME.get(str(match.url_name))
    if find is not None:
        return find(values)
    return Case.objects.filter(code=values["code"]).values("study") if "code" in values else None


_BY_NAME: dict[str, Callable[[Mapping[str, Any]], QuerySet[Any]]] = {
    "patient-page": lambda values: Patient.objects.filter(code=values["code"]).values("study"),
    **dict.fromkeys(
        ("slice-with-mask", "review-mask", "review-mask-download", "review-figures"),
        lambda values: CaseMask.objects.filter(pk=values["mask_id"]).values("case__study"),
    ),
    **dict.fromkeys(
        (
            *("release-page", "release-download", "release-part", "release-patch"),
            *("erratum-report", "release-beside", "release-change"),
        ),
        lambda values: Release.objects.filter(pk=values["pk"]).values("study"),
    ),
    **dict.fromkeys(
        ("finding-seen", "finding-drawer"),
        lambda values: AnnotationFinding.objects.filter(pk=values["pk"]).values("annotation__task__case__study"),
    ),
    "change-seen": lambda values: StudioChange.objects.filter(pk=values["pk"]).values("project__study"),
}
"""Pages whose address names something else than a case."""

urlpatterns = [
    one
    for place in PLACES
    for one in (
        path(f"{place}/", former_page, name=f"former-{place}"),
        path(f"{place}/<path:rest>", former_page, name=f"former-{place}"),
    )
]

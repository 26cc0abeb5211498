"""The page of a study's people, and the page that an invitation's link opens."""

from collections.abc import Callable
from typing import Any

from allauth.account.utils import perform_login
from django import forms
from django.contrib import messages
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.accounts.services import active_person
from annotation_backend.accounts.spelling import one_spelling
from annotation_backend.studies import managing
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.invitations import accept, invitation_of, invite, join, open_ones, withdraw
from annotation_backend.studies.models import Invitation, MembershipChange, Study
from annotation_backend.studies.pages import study_page
from datasets.errors import RejectedInput

_MOST_CHANGES = 50
_FORMS = ["GET", "POST"]


class NewPassword(forms.Form):
    """A password, twice."""

    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        max_length=1000,
        help_text=password_validators_help_text_html(),
    )
    again = forms.CharField(
        label="The same again", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False
    )

    def clean_password(self) -> str:
        """The password, if it is good enough."""
        validate_password(self.cleaned_data["password"])
        return str(self.cleaned_data["password"])

    def clean(self) -> dict[str, Any]:
        """Both are the same."""
        given = super().clean() or {}
        if "password" in given and given["password"] != given.get("again"):
            self.add_error("again", "This is another password than the one above.")
        return given


@study_page(Role.DATA_MANAGER)
@require_http_methods(_FORMS)
def people(request: HttpRequest, study: Study) -> HttpResponse:
    """Who has which role in the study, who is invited, and what changed; a link is shown in the answer, once."""
    by = signed_in_user(request)
    link, status = "", 200
    if request.method == "POST":
        do = _ACTIONS.get(request.POST.get("action", ""))
        if do is None:
            return HttpResponse("What is to be done?\n", status=400, content_type="text/plain")
        try:
            link = do(request, study, by)
        except RejectedInput as error:
            messages.error(request, str(error))
            status = 409
        else:
            if not link:
                return redirect(page_of(study, "people"))
    return render(request, "studies/people.html", {**_shown(study, by), "link": link}, status=status)


@require_http_methods(_FORMS)
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Takes an invitation up: signed in, by a press; with no account yet, by a password of one's own."""
    found = invitation_of(token)
    if found is None:
        return render(request, "studies/invitation.html", {"ended": True}, status=404)
    person = request.user if isinstance(request.user, User) else None
    has_account = person is not None or active_person(found.email) is not None
    form = NewPassword(request.POST or None) if not has_account else None
    is_theirs = person is not None and one_spelling(person.username) == found.email
    context: dict[str, Any] = {"invitation": found, "form": form, "here": request.path, "is_theirs": is_theirs}
    if request.method == "POST":
        try:
            if person is not None:
                accept(found, person)
                return redirect(page_of(found.study, "study"))
            if form is not None and form.is_valid():
                joined = join(found, form.cleaned_data["password"])
                answer: HttpResponse = perform_login(
                    request, joined, email_verification="none", redirect_url=page_of(found.study, "study")
                )
                return answer
        except RejectedInput as error:
            context["error"] = error
            return render(request, "studies/invitation.html", context, status=409)
    return render(request, "studies/invitation.html", context)


def _shown(study: Study, by: User) -> dict[str, Any]:
    """What the page shows; a member's role can be changed by who may take the one that they have."""
    given = managing.roles_given_by(study, by)
    changes = MembershipChange.objects.filter(study=study).select_related("person", "by").order_by("-pk")
    return {
        "members": [(row, Role(row.role) in given) for row in managing.members_of(study)],
        "given": given,
        "invitations": open_ones(study),
        "changes": changes[:_MOST_CHANGES],
        "may_close": by.is_administrator,
    }


def _invite(request: HttpRequest, study: Study, by: User) -> str:
    return invite(study, request.POST.get("email", ""), _role(request), by=by)


def _withdraw(request: HttpRequest, study: Study, by: User) -> str:
    found = get_object_or_404(Invitation, study=study, pk=_number(request, "invitation"))
    managing.require_givable(study, Role(found.role), by)
    withdraw(found)
    return ""


def _give(request: HttpRequest, study: Study, by: User) -> str:
    managing.change_role(study, _member(request, study), _role(request), by=by)
    return ""


def _end(request: HttpRequest, study: Study, by: User) -> str:
    managing.end_part(study, _member(request, study), by=by)
    return ""


def _close(request: HttpRequest, study: Study, by: User) -> str:
    managing.close_account(_member(request, study), by=by)
    return ""


def _password(request: HttpRequest, study: Study, by: User) -> str:
    return managing.new_password_link_for(_member(request, study), by=by)


def _factor(request: HttpRequest, study: Study, by: User) -> str:
    managing.reset_second_factor(_member(request, study), by=by)
    messages.success(request, "The second factor is taken away; a new one is set up at the next sign-in.")
    return ""


_ACTIONS: dict[str, Callable[[HttpRequest, Study, User], str]] = {
    "invite": _invite,
    "withdraw": _withdraw,
    "give": _give,
    "end": _end,
    "close": _close,
    "password": _password,
    "factor": _factor,
}
"""Each gives a link that is to be shown once, or nothing."""


def _member(request: HttpRequest, study: Study) -> User:
    row = managing.members_of(study).filter(person=_number(request, "person")).first()
    if row is None:
        raise Http404
    return row.person


def _number(request: HttpRequest, name: str) -> int:
    said = request.POST.get(name, "")
    if not (said.isascii() and said.isdecimal() and len(said) < 19):
        raise Http404
    return int(said)


def _role(request: HttpRequest) -> Role:
    said = request.POST.get("role", "")
    if said not in Role.values:
        raise RejectedInput("role", "This is no role.", remedy="Choose one from the list.")
    return Role(said)

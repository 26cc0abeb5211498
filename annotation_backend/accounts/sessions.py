"""A person's sessions: a list of them, ending the others, and signing out here or everywhere."""

from typing import Any

from allauth.account.views import LogoutView
from allauth.usersessions.models import UserSession
from allauth.usersessions.views import ListUserSessionsView
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.accounts.services import end_sessions


class SignOut(LogoutView):
    """Signs out in this browser, or, where asked, in every one."""

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ends the session."""
        if self.request.user.is_authenticated and "everywhere" in self.request.POST:
            end_sessions(signed_in_user(self.request))
        return super().post(*args, **kwargs)


class Sessions(ListUserSessionsView):
    """The browsers in which a person is signed in; ends all but this one."""

    form_class = Form

    def get_form_kwargs(self) -> dict[str, Any]:
        """Nothing is asked."""
        kwargs: dict[str, Any] = super().get_form_kwargs()
        kwargs.pop("request")
        return kwargs

    def get_context_data(self, **words: Any) -> dict[str, Any]:
        """This session among them, even one from before sessions were listed."""
        if not UserSession.objects.filter(session_key=self.request.session.session_key).exists():
            UserSession.objects.create_from_request(self.request)
        context: dict[str, Any] = super().get_context_data(**words)
        return context

    def form_valid(self, form: Form) -> HttpResponse:
        """Ends the others, those that no list holds as well."""
        end_sessions(signed_in_user(self.request), but=self.request.session.session_key)
        return super(ListUserSessionsView, self).form_valid(form)


@login_required
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    """A person's own account: password, second factor, sessions."""
    return render(request, "account/account.html")

# mypy: ignore-errors
"""The door's own page: takes a ticket, begins the person's session, and lets them through to where they go."""

import json
import time

from django.contrib import auth
from django.http import HttpResponseRedirect, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from annotation_backend.labeling.studio_door import surroundings
from annotation_backend.labeling.studio_door.permits import PERMITS
from annotation_backend.labeling.studio_door.refusals import TICKET_USED, Refused, answer_to
from annotation_backend.labeling.studio_door.tickets import NoTicket, opened

ENTRY = "maskloop_entry"
"""In the session: the entry that it began with, without which nobody is signed in here."""

_AGAIN = "This ticket was used before, is too old, or is none. Open Label Studio from Maskloop again."

_LAST_LOGIN = "last_login"
"""Label Studio's own: without it, it signs everybody out at once."""


@require_GET
def enter(request):
    """Signs a person in by their ticket; whoever was signed in before in this browser is no longer."""
    try:
        person, ticket = _person_of(request.GET.get("ticket", ""))
    except Refused as refused:
        return _without_storing(answer_to(request, refused))
    request.session.flush()
    auth.login(request, person, backend="django.contrib.auth.backends.ModelBackend")
    request.session[_LAST_LOGIN] = time.time()
    request.session[ENTRY] = ticket.entry
    return _without_storing(HttpResponseRedirect(ticket.place))


def _person_of(word):
    try:
        ticket = opened(word, surroundings.secret())
    except NoTicket as error:
        raise _no_ticket() from error
    email = PERMITS.redeemed(ticket.entry, ticket.person)
    if email is None:
        raise Refused(403, TICKET_USED, _AGAIN)
    person = auth.get_user_model().objects.filter(pk=ticket.person, email__iexact=email).first()
    if person is None:
        raise Refused(403, "door-account", "Your account here has another number or address. Tell a data manager.")
    _mend(person)
    return person, ticket


@require_POST
def make_account(request):
    """Gives an address an account that no password opens, or takes over the one that it has; the account's number."""
    email = json.loads(request.body)["email"]
    people = auth.get_user_model().objects
    same = sorted(people.filter(email__iexact=email), key=lambda one: (one.email != email.lower(), one.pk))
    person = same[0] if same else people.create_user(email=email.lower(), username=email.partition("@")[0])
    _mend(person)
    return JsonResponse({"id": person.pk})


@require_POST
def switch_tokens_on(_request):
    """Lets the administrator's token in again where somebody switched tokens of its kind off before the door stood."""
    from organizations.models import Organization

    for organization in Organization.objects.all():
        organization.jwt.legacy_api_tokens_enabled = True
        organization.jwt.save()
    return JsonResponse({"switched_on": True})


def _mend(person):
    """Gives an account what Label Studio needs to let it in; our service has said that it is the person's."""
    from organizations.models import Organization, OrganizationMember

    organization = Organization.objects.order_by("pk").first()
    if person.is_active and person.active_organization_id == organization.pk:
        return
    organization.add_user(person)
    OrganizationMember.objects.filter(user=person, organization=organization).update(deleted_at=None)
    person.is_active, person.active_organization = True, organization
    person.save(update_fields=["is_active", "active_organization"])


def _no_ticket():
    return Refused(403, "door-ticket", _AGAIN)


def _without_storing(answer):
    answer["Cache-Control"] = "no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer

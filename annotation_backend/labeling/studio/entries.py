"""People's ways into Label Studio: a ticket each time, good once, and only as long as their session here lasts."""

import secrets
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone

from annotation_backend.accounts.models import User
from annotation_backend.labeling.models import StudioEntry
from annotation_backend.labeling.studio.credentials import door_secret
from annotation_backend.labeling.studio_door.tickets import GOOD_SECONDS, Ticket, sealed

KEPT_DAYS = 14
"""As long as a session in Label Studio may last."""


def ticket_for(person: User, session: str, place: str) -> str:
    """A ticket of a person who is signed in here.

    Args:
        person: Who has an account in Label Studio.
        session: The key of their session.
        place: Where they go there, one of `tickets.place_of`.
    """
    now = timezone.now()
    StudioEntry.objects.filter(person=person, made_at__lt=now - timedelta(days=KEPT_DAYS)).delete()
    entry = StudioEntry.objects.create(word=secrets.token_urlsafe(32), person=person, session=session)
    return sealed(Ticket(entry.word, person.label_studio_id or 0, place), door_secret())


def enter(word: str, number: int) -> User | None:
    """Uses an entry up; its person, or None where it was used before, is too old, or is nobody's who is signed in."""
    now = timezone.now()
    fresh = StudioEntry.objects.filter(word=word, used_at=None, made_at__gt=now - timedelta(seconds=GOOD_SECONDS + 5))
    return _person_of(word, number) if fresh.update(used_at=now) else None


def person_of(word: str, number: int) -> User | None:
    """The person of an entry that was used; None where they are signed out here, or their account is closed."""
    return _person_of(word, number)


def _person_of(word: str, number: int) -> User | None:
    entry = StudioEntry.objects.filter(word=word, used_at__isnull=False).select_related("person").first()
    if entry is None or not entry.person.is_active or entry.person.label_studio_id != number:
        return None
    session = Session.objects.filter(session_key=entry.session, expire_date__gt=timezone.now()).first()
    return entry.person if session is not None and _is_of(session, entry.person) else None


def _is_of(session: Session, person: User) -> bool:
    """Whether a session is a person's, who has had no other password since."""
    from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY

    found = session.get_decoded()
    return found.get(SESSION_KEY) == str(person.pk) and found.get(HASH_SESSION_KEY) in _hashes(person)


def _hashes(person: User) -> set[str]:
    return {person.get_session_auth_hash(), *person.get_session_auth_fallback_hash()}

"""The daily e-mail: counts and links alone, to people who have something to do and did not decline it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils.timezone import now

from annotation_backend.accounts.models import User
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import studies_of
from annotation_backend.work.models import DigestChoice
from annotation_backend.work.own import counts_of, waiting_reviews

ONE_A_DAY = timedelta(hours=20)
"""Nobody gets two within this time, so that one comes at about the same hour each day."""

LOOKED_AT_EVERY = 600.0
"""Seconds between two looks for digests that are due."""

looked_at: float | None = None


@dataclass(frozen=True)
class StudyCounts:
    """What waits for a person in a study."""

    study: Study
    to_do: int
    returned: int
    reviews: int


def send_digests(*, dry_run: bool = False) -> int:
    """Sends everybody who has something to do one e-mail, where none went within a day.

    Args:
        dry_run: Sends nothing.

    Returns:
        How many went, or would have.

    Raises:
        OSError: The mail server does not answer; those whose e-mail went before keep it, and the next run goes on.
    """
    count = 0
    for person in User.objects.filter(is_active=True).exclude(email="").order_by("pk"):
        counts = list(_counts(person))
        if counts and (dry_run or _send(person, counts)):
            count += is_due(person) if dry_run else 1
    return count


def is_due(person: User) -> bool:
    """Whether a person wants digests and got none within a day."""
    choice = DigestChoice.objects.filter(person=person).first()
    return choice is None or (choice.is_wanted and (choice.sent_at is None or now() - choice.sent_at >= ONE_A_DAY))


def wants_digests(person: User) -> bool:
    """Whether a person gets digests where the installation sends any."""
    return not DigestChoice.objects.filter(person=person, is_wanted=False).exists()


def choose(person: User, *, is_wanted: bool) -> None:
    """Keeps whether a person wants digests."""
    DigestChoice.objects.update_or_create(person=person, defaults={"is_wanted": is_wanted})


def _counts(person: User) -> Iterator[StudyCounts]:
    assigned = counts_of(person)
    for study in studies_of(person):
        theirs = assigned.get(study.pk, {"open": 0, "returned": 0})
        reviews = waiting_reviews(study, person)
        if theirs["open"] or reviews:
            yield StudyCounts(study, theirs["open"], theirs["returned"], reviews)


def _send(person: User, counts: list[StudyCounts]) -> bool:
    """One e-mail; it counts as sent before it goes, so that two runs at once never send two."""
    with transaction.atomic():
        choice, _ = DigestChoice.objects.select_for_update().get_or_create(person=person)
        if not is_due(person):
            return False
        before, choice.sent_at = choice.sent_at, now()
        choice.save(update_fields=["sent_at"])
    try:
        send_mail("Maskloop: what waits for you", text_of(counts), None, [person.email])
    except Exception:
        DigestChoice.objects.filter(person=person).update(sent_at=before)
        raise
    return True


def text_of(counts: list[StudyCounts]) -> str:
    """The e-mail's text: counts and links."""
    lines = ["This is what waits for you in Maskloop.", ""]
    for one in counts:
        said = [f"{one.to_do} to do"] if one.to_do else []
        said += [f"{one.returned} of them sent back"] if one.returned else []
        said += [f"{one.reviews} to review"] if one.reviews else []
        lines += [f"{one.study}: {', '.join(said)}", f"  {settings.MASKLOOP_URL}{page_of(one.study, 'my-work')}"]
    lines += ["", "The same page has a button that ends these e-mails."]
    return "\n".join(lines)


def is_on() -> bool:
    """Whether the installation sends digests."""
    return bool(settings.SEND_DIGESTS)


def send_if_due() -> int:
    """Sends what is due, at most once in `LOOKED_AT_EVERY`; a mail server that is silent is tried again then.

    Returns:
        How many e-mails went.
    """
    global looked_at
    if not is_on() or (looked_at is not None and time.monotonic() - looked_at < LOOKED_AT_EVERY):
        return 0
    looked_at = time.monotonic()
    return send_digests()

"""Rate limit of the sign-in: tries of a password per account and per address, counted before anything is hashed.

A try is counted when it begins and taken back when it succeeds, so that parallel tries do not get round the limit.
After too many, the account or the address is locked, each time longer, up to `LONGEST_LOCK`; tries during a lock cost
one query, are not counted and do not prolong it. A browser in which a person signed in before has a count of its own,
so that others who guess at an account, or who share an address with its owner, do not lock the owner out.
"""

import ipaddress
import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import BoundedSemaphore

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from annotation_backend.accounts.models import SignInCount, User
from annotation_backend.accounts.spelling import one_spelling

logger = logging.getLogger(__name__)

FIRST_LOCK, LONGEST_LOCK = timedelta(seconds=30), timedelta(minutes=5)
FORGOTTEN_AFTER = timedelta(minutes=30)
"""Tries older than this no longer count."""

TRIES_OF_AN_ACCOUNT, TRIES_OF_AN_ADDRESS = 5, 20

AT_ONCE, HASHED_AT_ONCE = 8, 2
"""Sign-ins under way in one process, whose 16 threads serve everybody else too, and those of them that hash."""

DEVICE_COOKIE, DEVICE_DAYS = "maskloop_device", 180

_signer = TimestampSigner(salt="annotation_backend.accounts.device")
_places, _hashing = BoundedSemaphore(AT_ONCE), BoundedSemaphore(HASHED_AT_ONCE)


class TooManyTries(Exception):
    """A password may not be tried now.

    Args:
        retry_after: Seconds to wait.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Try:
    """A password that is tried now.

    Args:
        limits: Key of each counter to the number of tries that it allows in a row.
        locked: Keys of the counters that this try locked.
    """

    limits: dict[str, int]
    locked: frozenset[str] = frozenset()


@contextmanager
def place_to_sign_in() -> Iterator[None]:
    """Limits how many sign-ins run, and hash, at once, so that threads are left for other requests.

    Raises:
        TooManyTries: Too many people are signing in.
    """
    if not _places.acquire(blocking=False):
        raise TooManyTries(1)
    try:
        with _hashing:
            yield
    finally:
        _places.release()


def begin(request: HttpRequest, email: str) -> Try:
    """Counts a try, before the password is looked at.

    Args:
        request: Gives the address and the browser.
        email: The account's e-mail address, as it was typed.

    Raises:
        TooManyTries: The account or the address is locked.
    """
    device = _device_of(request, email)
    if device is not None:
        limits = {_key("device", device): TRIES_OF_AN_ACCOUNT}
    else:
        account, address = _key("account", one_spelling(email)), _key("address", address_of(request))
        limits = {account: TRIES_OF_AN_ACCOUNT, address: TRIES_OF_AN_ADDRESS}
    require_free(list(limits))
    with transaction.atomic():
        SignInCount.objects.filter(changed__lt=timezone.now() - FORGOTTEN_AFTER).delete()
        SignInCount.objects.bulk_create([SignInCount(key=key) for key in limits], ignore_conflicts=True)
        rows = list(SignInCount.objects.select_for_update().filter(key__in=limits).order_by("key"))
        require_free(list(limits))
        locked = frozenset(row.key for row in rows if _count(row, limits[row.key]))
    return Try(limits, locked)


def require_free(keys: Sequence[str]) -> None:
    """Refuses a try while one of its counters is locked; one query, nothing written.

    Raises:
        TooManyTries: One of them is locked.
    """
    now = timezone.now()
    longest = now + LONGEST_LOCK  # no lock is longer: one that seems so was begun by a clock that was wrong
    waits = SignInCount.objects.filter(key__in=keys, locked_until__gt=now, locked_until__lte=longest)
    until = waits.aggregate(until=Max("locked_until"))["until"]
    if until is not None:
        raise TooManyTries(int((until - now).total_seconds()) + 1)


def succeeded(tried: Try) -> None:
    """Takes back a try whose password was right: the account's count begins anew, the address's is as before."""
    with transaction.atomic():
        for row in SignInCount.objects.select_for_update().filter(key__in=tried.limits).order_by("key"):
            if tried.limits[row.key] == TRIES_OF_AN_ACCOUNT:
                row.delete()
                continue
            row.tries = max(row.tries - 1, 0)
            if row.tries < TRIES_OF_AN_ADDRESS or row.key in tried.locked:
                row.locked_until = None  # nothing was counted after a try that locked, so the lock was this one's
            row.save(update_fields=["tries", "locked_until"])


def failed(tried: Try) -> None:
    """Logs a wrong password; account and address stand there as keyed hashes, which only the key's holder can match."""
    logger.warning("a sign-in failed: %s", ", ".join(key[:16] for key in tried.limits))


def device_cookie(person: User) -> str:
    """The signed cookie of a browser in which a person signed in."""
    return _signer.sign(f"{person.pk}.{secrets.token_urlsafe(12)}")


def client_of(request: HttpRequest) -> str:
    """The client's own address; empty where it is not known."""
    forwarded = [each.strip() for each in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies = settings.TRUSTED_PROXIES
    known = forwarded[-proxies] if 0 < proxies <= len(forwarded) else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ipaddress.ip_address(known))
    except ValueError:
        return ""


def address_of(request: HttpRequest) -> str:
    """The address that a request comes from: the client's, or its network's where everybody has millions (IPv6)."""
    client = client_of(request)
    if not client:
        return "unknown"
    address = ipaddress.ip_address(client)
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def _count(row: SignInCount, limit: int) -> bool:
    """Counts one try; whether the next has to wait."""
    row.tries += 1
    if row.tries >= limit:
        wait = min(FIRST_LOCK * 2 ** min(row.tries - limit, 10), LONGEST_LOCK)
        row.locked_until = timezone.now() + wait
        logger.warning("%s waits %d s after %d tries", row.key[:16], wait.total_seconds(), row.tries)
    row.save()
    return row.tries >= limit


def _device_of(request: HttpRequest, email: str) -> str | None:
    """The browser's cookie, if the account's owner signed in with it before."""
    try:
        value = _signer.unsign(request.COOKIES.get(DEVICE_COOKIE, ""), max_age=timedelta(days=DEVICE_DAYS))
    except BadSignature:
        return None
    number = value.partition(".")[0]
    known = User.objects.filter(pk=int(number), username__iexact=one_spelling(email)) if number.isdecimal() else None
    return value if known is not None and known.exists() else None


def _key(kind: str, value: str) -> str:
    return f"{kind}-{salted_hmac('annotation_backend.accounts.throttle', value, algorithm='sha256').hexdigest()}"

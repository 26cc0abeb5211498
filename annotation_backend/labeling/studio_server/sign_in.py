"""Middleware of Label Studio's own process: rate limit of its sign-in.

The same passwords open both services, so a limit on one alone would be none. Label Studio is one process, and counts
in memory are enough; they are gone when it starts again, which nobody without the machine can bring about.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, ClassVar

from django.http import HttpResponse

from annotation_backend.accounts.spelling import one_spelling

LOGIN_PATH = "/login/"
"""End of the addresses at which Label Studio takes a password: its own page, Django's administration (``/admin/``),
and the one of its API's framework (``/api-auth/``). Without the last slash Label Studio answers as with it: its own
middleware asks once more, through another instance of this one."""

NAMES = ("email", "username")
"""Names of the account's field in those forms."""

TRIES_FROM_AN_ADDRESS, TRIES_OF_AN_ACCOUNT = 5, 50
"""Wrong passwords in a row for one account: from one address, and from all together."""

FIRST_LOCK_SECONDS, LONGEST_LOCK_SECONDS, FORGOTTEN_SECONDS = 30.0, 300.0, 1800.0

MOST_KEYS = 10_000
"""Pairs of account and address that are counted at once; what was tried longest ago is forgotten first."""

Key = tuple[str, str]


class SignInLimit:
    """Counts a try when it begins, and takes it back when it was right."""

    counts: ClassVar[OrderedDict[Key, tuple[int, float, float]]] = OrderedDict()
    """Tries, end of the lock and last try, by account and address. Of all instances together: Label Studio makes a
    second one for addresses without their last slash."""

    _lock: ClassVar[Lock] = Lock()

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response

    def __call__(self, request: Any) -> Any:
        """Answers 429 after too many tries; passes everything else on."""
        accounts = _accounts(request) if self._is_try(request) else []
        if not accounts:
            return self._get_response(request)
        address = request.META.get("REMOTE_ADDR", "")
        keys = {(account, address): TRIES_FROM_AN_ADDRESS for account in accounts}
        keys |= {(account, "*"): TRIES_OF_AN_ACCOUNT for account in accounts}
        wait = self._begin(keys)
        if wait > 0:
            words = f"Too many passwords were tried. Wait {wait} seconds; then the right one works."
            return HttpResponse(words, status=429, content_type="text/plain", headers={"Retry-After": str(wait)})
        response = self._get_response(request)
        if response.status_code == 302 and _signed_in_as(request) in accounts:
            self._forget(keys)
        return response

    def _is_try(self, request: Any) -> bool:
        return bool(request.method == "POST" and request.path.endswith(LOGIN_PATH))

    def _begin(self, limits: dict[Key, int]) -> int:
        """Seconds to wait; 0, and the try is counted, where there is no need to."""
        now = time.monotonic()
        with self._lock:
            rows = {key: self._row(key, now) for key in limits}
            wait = max(until - now for _, until, _ in rows.values())
            if wait > 0:
                return int(wait) + 1
            for key, limit in limits.items():
                tries = rows[key][0] + 1
                lock = FIRST_LOCK_SECONDS * 2 ** min(tries - limit, 10) if tries >= limit else 0.0
                self.counts[key] = (tries, now + min(lock, LONGEST_LOCK_SECONDS), now)
                self.counts.move_to_end(key)
            while len(self.counts) > MOST_KEYS:
                self.counts.popitem(last=False)
        return 0

    def _row(self, key: Key, now: float) -> tuple[int, float, float]:
        row = self.counts.get(key, (0, now, now))
        return row if now - row[2] < FORGOTTEN_SECONDS else (0, now, now)

    def _forget(self, keys: Iterable[Key]) -> None:
        with self._lock:
            for key in keys:
                self.counts.pop(key, None)


def _accounts(request: Any) -> list[str]:
    """The accounts whose password is tried: each name that the request holds, in one spelling."""
    names = (_spelt(request.POST.get(name) or "") for name in NAMES)
    return sorted({name for name in names if name})


def _signed_in_as(request: Any) -> str:
    """The account that is signed in now. Label Studio redirects a person who was signed in before without checking the
    password; such an answer takes back no try of somebody else's account."""
    return _spelt(getattr(getattr(request, "user", None), "email", ""))


def _spelt(name: str) -> str:
    return one_spelling(name)[:200]

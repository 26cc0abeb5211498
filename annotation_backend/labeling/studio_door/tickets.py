"""Tickets: a person who signed in here comes into Label Studio by a signed line that is good once, for half a minute.

Both sides read this module: ours makes a ticket, Label Studio's process opens it. It imports nothing of either.
"""

from dataclasses import asdict, dataclass

from django.core import signing
from django.utils.http import url_has_allowed_host_and_scheme

GOOD_SECONDS = 30

START = "/projects/"
"""Where a person lands who asked for no place, or for one that is none of Label Studio's."""

_SALT = "annotation_backend.labeling.studio_door.tickets"
_LONGEST_PLACE = 2000


@dataclass(frozen=True)
class Ticket:
    """A person's coming in: the entry that it belongs to, the person's number in Label Studio, and where they go."""

    entry: str
    person: int
    place: str


class NoTicket(Exception):
    """It is forged, too old, or none at all."""


def sealed(ticket: Ticket, secret: str) -> str:
    """The ticket as a signed word for an address."""
    return signing.dumps(asdict(ticket), key=secret, salt=_SALT)


def opened(word: str, secret: str) -> Ticket:
    """The ticket in a signed word.

    Raises:
        NoTicket: Another secret signed it, it is older than `GOOD_SECONDS`, or it holds something else.
    """
    try:
        found = signing.loads(word, key=secret, salt=_SALT, max_age=GOOD_SECONDS)
        return Ticket(str(found["entry"]), int(found["person"]), place_of(found["place"]))
    except (signing.BadSignature, KeyError, TypeError, ValueError) as error:
        raise NoTicket from error


def place_of(wanted: str) -> str:
    """A path of Label Studio's own pages; `START` in place of another server's address or of the door itself."""
    is_own = (
        wanted.startswith("/") and wanted.isprintable() and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    )
    at_the_door = wanted.startswith(("/maskloop/", "/user/", "/logout", "/api/"))
    return START if not is_own or at_the_door or len(wanted) > _LONGEST_PLACE else wanted

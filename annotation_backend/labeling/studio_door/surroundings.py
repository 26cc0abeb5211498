"""What Label Studio's process is told by ours: addresses and secrets, in its environment (`studio_server.server`)."""

import os

SERVICE, PAGES, SECRET, TOKEN = (
    "MASKLOOP_DOOR_SERVICE",
    "MASKLOOP_DOOR_PAGES",
    "MASKLOOP_DOOR_SECRET",
    "LABEL_STUDIO_USER_TOKEN",
)
"""Variables: our service's address for Label Studio and in browsers, the door's secret, the administrator's token."""

HEADER = "X-Maskloop-Door"
"""Carries the secret, in both directions."""


def service() -> str:
    """Our service's address as this process reaches it."""
    return os.environ[SERVICE]


def pages() -> str:
    """Our service's address in browsers."""
    return os.environ[PAGES]


def secret() -> str:
    """The secret that both sides of the door share."""
    return os.environ[SECRET]


def token() -> str:
    """The one API token that is taken here."""
    return os.environ[TOKEN]

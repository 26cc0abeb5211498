"""Addresses of places for releases: a folder, or a URL without a password."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from datasets.errors import RejectedInput

FOLDER, S3 = "file", "s3"
WEB = ("http", "https")
_OTHER_NAMES = {"local": FOLDER, "s3a": S3}
_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")
_IN_BRACKETS = re.compile(r"\[[0-9A-Fa-f:.]*\]")
"""An address of IPv6."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)


@dataclass(frozen=True)
class Address:
    """Where a release is, or is to be.

    Args:
        scheme: `FOLDER`, `S3`, one of `WEB`, or what fsspec calls the store.
        place: The folder's path; otherwise host or bucket and the path there, without a slash at the end.
    """

    scheme: str
    place: str

    def __str__(self) -> str:
        return self.place if self.scheme == FOLDER else f"{self.scheme}://{self.place}"

    def below(self, name: str) -> "Address":
        """The place of that name in this one."""
        return Address(self.scheme, f"{self.place.rstrip('/')}/{name}" if self.place else name)


def read_address(text: str) -> Address:
    """The address that a person gave.

    Raises:
        RejectedInput: It is empty or holds signs that do not show (``address-unreadable``), a password
            (``address-secret``), or a query or several addresses (``address-parts``). No refusal repeats it.
    """
    if not text.strip() or not text.isprintable():
        _refuse("address-unreadable", "The address is empty or holds signs that do not show.", "Write it anew.")
    found = _URL.fullmatch(text.strip())
    if found is None and "://" in text:
        _refuse_parts()
    if found is None and os.sep == "/" and _OF_WINDOWS.match(text):
        _refuse("address-unreadable", "This is a path of Windows.", "Give one of this machine, such as /data/releases.")
    if found is None:
        return Address(FOLDER, str(Path(text.strip()).expanduser()))
    scheme = found.group(1).lower()
    scheme, rest = _OTHER_NAMES.get(scheme, scheme), found.group(2)
    _require_plain(rest)
    if scheme == FOLDER:
        return Address(FOLDER, unquote(rest))
    if not rest.strip("/"):
        _refuse("address-unreadable", "The address names no bucket or host.", "Write it as scheme://bucket/path.")
    return Address(scheme, rest.strip("/"))


def _require_plain(rest: str) -> None:
    """Refuses what stores would read as a secret, or as something else than one place."""
    try:
        parts = urlsplit(f"//{rest}")
        has_secret = parts.password is not None or ":" in unquote(parts.netloc.rpartition("@")[0])
    except ValueError:
        _refuse("address-unreadable", "The address is no URL.", "Write it as scheme://bucket/path.")
    if has_secret:
        _refuse(
            "address-secret",
            "The address holds a password, which would be kept by shells and logs.",
            "Leave it out, and change it: credentials come from the environment or the store's own configuration.",
        )
    if "?" in rest or "#" in rest or "::" in _IN_BRACKETS.sub("", rest):
        _refuse_parts()


def _refuse_parts() -> NoReturn:
    _refuse(
        "address-parts",
        "The address holds a query, a fragment, or several addresses.",
        "Give the address of one place alone, without ? and what follows it.",
    )


def _refuse(code: str, message: str, remedy: str) -> NoReturn:
    raise RejectedInput(code, message, remedy=remedy)

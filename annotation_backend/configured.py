"""Values of the environment, each refused by name where it does not fit its setting; no value is ever shown."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from annotation_backend.environment import ROOT

SHORTEST_SECRET = 32

_YES = ("true", "on", "ok", "y", "yes", "1")
_NO = ("", "false", "off", "n", "no", "0")
_MAIL = ("smtp", "smtp+tls", "smtp+ssl")
_DATABASES = ("sqlite", "postgres", "postgresql", "psql", "pgsql")


def secret(name: str) -> str:
    """A secret, which has no default.

    Raises:
        ImproperlyConfigured: The secret is missing or too short.
    """
    value = os.environ.get(name, "")
    if len(value) < SHORTEST_SECRET:
        raise ImproperlyConfigured(
            f"{name} is missing or shorter than {SHORTEST_SECRET} characters. `make setup` draws one that is missing "
            "into .env; of one that is too short, delete the line first."
        )
    return value


def text(name: str, *, default: str = "") -> str:
    """Any text."""
    return os.environ.get(name, default)


def words(name: str, *, default: Sequence[str]) -> list[str]:
    """Words with commas between them."""
    given = [word.strip() for word in text(name).split(",")]
    return [word for word in given if word] or list(default)


def choices(name: str, *, among: Sequence[str]) -> list[str]:
    """Words with commas between them, each one of a few; none where it is missing.

    Raises:
        ImproperlyConfigured: One of them is another word.
    """
    given = words(name, default=())
    if not set(given) <= set(among):
        raise _refused(name, f"words among {', '.join(among)}, with commas between them")
    return given


def flag(name: str) -> bool:
    """Yes or no; no where it is missing.

    Raises:
        ImproperlyConfigured: The value is neither yes nor no.
    """
    value = text(name).strip().lower()
    if value not in _YES + _NO:
        raise _refused(name, "true or false")
    return value in _YES


def whole(name: str, *, default: int, least: int = 0, most: int) -> int:
    """A whole number within bounds.

    Raises:
        ImproperlyConfigured: The value is no such number.
    """
    try:
        value = int(text(name).strip() or default)
    except ValueError as error:
        raise _refused(name, f"a whole number from {least} to {most}") from error
    if not least <= value <= most:
        raise _refused(name, f"a whole number from {least} to {most}")
    return value


def number(name: str, *, default: float, most: float) -> float:
    """A number from 0 to a bound.

    Raises:
        ImproperlyConfigured: The value is no such number.
    """
    try:
        value = float(text(name).strip() or default)
    except ValueError as error:
        raise _refused(name, f"a number from 0 to {most:g}") from error
    if not (math.isfinite(value) and 0 <= value <= most):
        raise _refused(name, f"a number from 0 to {most:g}")
    return value


def folder(name: str, *, default: Path) -> Path:
    """A folder, there or to be made; one that is given without its beginning lies below the checkout.

    Raises:
        ImproperlyConfigured: There is a file of that name.
    """
    path = (ROOT / text(name).strip()).resolve() if text(name).strip() else default.resolve()
    if path.exists() and not path.is_dir():
        raise _refused(name, "a folder")
    return path


def address(name: str, *, default: str) -> str:
    """A web address without its closing stroke; none at all where the default is none.

    Raises:
        ImproperlyConfigured: The value is no web address.
    """
    value = (text(name).strip() or default).rstrip("/")
    if not value and not default:
        return ""
    try:
        parts = urlsplit(value)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or set(value) & set(" \t\n\"'<>\\"):
        raise _refused(name, f"an address such as {default or 'http://192.0.2.7:8000'}")
    return value


def database(name: str, *, default: Path) -> dict[str, Any]:
    """Django's settings of a database address; SQLite in a file where there is none.

    Raises:
        ImproperlyConfigured: The address is of no database that Maskloop runs on.
    """
    import environ

    value = text(name).strip() or f"sqlite:///{default}"
    expected = "postgresql://user:password@host:port/name or sqlite:////path/of/a/file"
    try:
        parts = urlsplit(value)
        is_known = parts.scheme in _DATABASES and len(parts.path) > 1 and parts.port != 0
        found: dict[str, Any] = environ.Env.db_url_config(value) if is_known else {}
    except (ValueError, KeyError, TypeError) as error:
        raise _refused(name, expected) from error
    if not found:
        raise _refused(name, expected)
    return found


def mail(name: str) -> dict[str, Any]:
    """Django's settings of a mail server's address; none where it is missing.

    Raises:
        ImproperlyConfigured: The address is of no mail server.
    """
    import environ

    value = text(name).strip()
    if not value:
        return {}
    expected = "smtp+tls://user:password@host:587, smtp+ssl://user:password@host:465 or smtp://host:25"
    try:
        parts = urlsplit(value)
        is_known = parts.scheme in _MAIL and bool(parts.hostname) and parts.port != 0
        found: dict[str, Any] = environ.Env.email_url_config(value) if is_known else {}
    except (ValueError, KeyError, TypeError) as error:
        raise _refused(name, expected) from error
    if not found:
        raise _refused(name, expected)
    return found


def _refused(name: str, expected: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is not {expected}. Correct it in .env.")

"""The private `.env` file: freshly drawn secrets and this installation's addresses. Imports nothing but Python.

`python -m annotation_backend.environment` writes it where it is missing, and draws what an existing one lacks; nothing
that stands in it is changed.
"""

import os
import re
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / ".env"

ROLE_NAMES = ("administrator", "data_manager", "radiologist", "annotator")

SECRETS = ("MASKLOOP_SECRET_KEY", "LABEL_STUDIO_TOKEN", "ML_BACKEND_PASSWORD")
"""Secrets without which nothing starts."""

LISTENER_FOR_LABEL_STUDIO = "127.0.0.2"
"""The one address of this machine to which Label Studio may send; nothing of ours but the web service is there."""

_PRIVATE_MODE = 0o600
_NOT_FIT = 3
_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_0-9]+)\s*=[ \t]*(?P<value>.*?)[ \t]*")


def fresh_environment() -> dict[str, str]:
    """A new installation's settings, every secret drawn from the operating system's random source."""
    values = {
        "MASKLOOP_SECRET_KEY": secrets.token_urlsafe(48),
        "MASKLOOP_URL": "http://127.0.0.1:8000",
        "LABEL_STUDIO_URL": "http://127.0.0.1:8080",
        "LABEL_STUDIO_TOKEN": secrets.token_hex(20),
        "ML_BACKEND_USER": "label-studio",
        "ML_BACKEND_PASSWORD": secrets.token_urlsafe(24),
    }
    values.update({password_variable(role): secrets.token_urlsafe(12) for role in ROLE_NAMES})
    return values


def address_for_label_studio(url: str) -> str:
    """Address at which Label Studio reaches our web service, unless ML_BACKEND_URL says otherwise.

    Args:
        url: MASKLOOP_URL, for browsers.

    Returns:
        The same port of a loopback address of its own where browsers use one of this machine, else the same address.
    """
    parts = urlsplit(url)
    if parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        return url
    port = parts.netloc.rpartition("]")[2].partition(":")[2]
    return f"{parts.scheme}://{LISTENER_FOR_LABEL_STUDIO}{f':{port}' if port else ''}"


def password_variable(role: str) -> str:
    """Name of the variable that holds the first password of a role's account."""
    return f"{role.upper()}_PASSWORD"


@dataclass(frozen=True)
class Variable:
    """A line of `.env` that is no setting of Django, and is read where it is needed.

    Args:
        name: As it stands there.
        meaning: Its purpose.
        kind: Its permitted values.
        default: The value that holds without it.
        example: A whole line; empty where it is drawn.
    """

    name: str
    meaning: str
    kind: str
    default: str
    example: str = ""


READ_ELSEWHERE = (
    *(
        Variable(
            password_variable(role),
            f"First password of {role.replace('_', '-')}@maskloop.local, here and in Label Studio. It is read when the "
            "account is made; a later change of it changes no account.",
            "a password of 12 letters or more",
            "none; `make setup` draws one into a new `.env`",
        )
        for role in ROLE_NAMES
    ),
    Variable(
        "MASKLOOP_DEVICE",
        "Where networks compute. Commands have `--device` for it.",
        "cpu or cuda",
        "the GPU where there is one",
        "MASKLOOP_DEVICE=cpu",
    ),
    Variable(
        "OMP_NUM_THREADS",
        "Threads of one answer, before MASKLOOP_INFERENCE_THREADS; also of a training that is started by hand. Another "
        "number of threads trains another model.",
        "a whole number from 1",
        "a process's share of the cores",
        "OMP_NUM_THREADS=4",
    ),
)
"""Variables of `.env` beside the settings of `annotation_backend.settings`; the page of settings lists both."""


class UnreadableEnvironment(Exception):
    """Says what is wrong with the file and what to do."""


def read_environment(path: Path = ENV_FILE) -> dict[str, str]:
    """The file's variables, one ``NAME=value`` a line, perhaps in quotes; of a duplicate name the last line.

    Raises:
        UnreadableEnvironment: It cannot be opened or is no UTF-8 text.
    """
    found = {}
    for line in _lines(path):
        if matched := _LINE.fullmatch(line.rstrip("\r")):
            found[matched["name"]] = matched["value"] if (value := _unquoted(matched["value"])) is None else value
    return found


def write_environment(path: Path = ENV_FILE) -> bool:
    """Writes a fresh `.env`, readable by its owner only; leaves an existing one as it is.

    Returns:
        Whether a file was written.
    """
    lines = ["# Secrets of this installation. Keep private; never commit."]
    lines += [f"{name}={value}" for name, value in fresh_environment().items()]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as stream:
        stream.write("\n".join(lines) + "\n")
    return True


def draw_missing(path: Path = ENV_FILE) -> list[str]:
    """Draws the secrets that an existing `.env` lacks, or has an empty line for; every other line stays as it is.

    First passwords are not drawn: a new one would not be that of the account that is there.

    Returns:
        The names of the secrets that were drawn.

    Raises:
        UnreadableEnvironment: As `read_environment`.
    """
    there = read_environment(path)
    missing = {name: fresh_environment()[name] for name in SECRETS if not there.get(name, "").strip()}
    if missing:
        kept = [line for line in _lines(path) if _name_in(line) not in missing]
        lines = [*kept, *(f"{name}={value}" for name, value in missing.items())]
        _replace(path.resolve(), "\n".join(lines) + "\n")
    return sorted(missing)


def _name_in(line: str) -> str | None:
    matched = _LINE.fullmatch(line.rstrip("\r"))
    return matched["name"] if matched else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8-sig").rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise UnreadableEnvironment(f"{path.name} is no UTF-8 text (line {line}). Save it as UTF-8.") from error
    except OSError as error:
        raise UnreadableEnvironment(
            f"{path.name} cannot be read: {error.strerror or type(error).__name__}. "
            "Let the account that runs Maskloop own it, with mode 600."
        ) from error


def _unquoted(value: str) -> str | None:
    """The text between quotes, in double ones with its escapes; None without quotes."""
    if matched := re.fullmatch(r"'(.*)'", value):
        return matched[1]
    if matched := re.fullmatch(r'"(.*)"', value):
        return re.sub(r"\\(.)", lambda found: "\\" + found[1] if found[1] in "rnt" else found[1], matched[1])
    return None


def _replace(path: Path, content: str) -> None:
    """The whole new file takes the old one's place, private from its first byte on."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".env-")  # mode 600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def main() -> int:
    """Writes or completes the file; the exit status."""
    try:
        drawn = ["mode 0600"] if write_environment() else draw_missing()
    except UnreadableEnvironment as error:
        sys.stderr.write(f"{error}\n")
        return _NOT_FIT
    except OSError as error:
        sys.stderr.write(f"{ENV_FILE.name} cannot be written into the checkout: {error.strerror}. Make it writable.\n")
        return _NOT_FIT
    if drawn:
        sys.stderr.write(f"{ENV_FILE.name}: written, {', '.join(drawn)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The private `.env` file: freshly drawn secrets and this installation's addresses. Imports nothing but Python.

`python -m annotation_backend.environment` writes it where it is missing; an existing file is never changed.
"""

import os
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / ".env"

ROLE_NAMES = ("administrator", "data_manager", "radiologist", "annotator")

LISTENER_FOR_LABEL_STUDIO = "127.0.0.2"
"""The one address of this machine to which Label Studio may send; nothing of ours but the web service is there."""

_PRIVATE_MODE = 0o600


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
    """Where Label Studio reaches our web service, unless ML_BACKEND_URL says otherwise.

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


if __name__ == "__main__":
    written = write_environment()
    sys.stderr.write(f"{ENV_FILE.name}: {'written, mode 0600' if written else 'already there, left as it is'}\n")

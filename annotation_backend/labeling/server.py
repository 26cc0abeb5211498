"""How our Label Studio is started: its environment, its folder, its command."""

import os
import sqlite3
import sys
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import email_of
from annotation_backend.environment import password_variable


def data_folder() -> Path:
    """Where Label Studio keeps its database."""
    return Path(settings.DATA_FOLDER) / "label_studio"


def environment() -> dict[str, str]:
    """The process environment: first user and token, telemetry off, local addresses allowed.

    Label Studio refuses ML backends and webhooks on 127.0.0.1 unless told otherwise, and reads several of these only
    when its first user is created.
    """
    ours = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_folder()),
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_USERNAME": email_of(Role.ADMINISTRATOR),
        "LABEL_STUDIO_PASSWORD": os.environ[password_variable(Role.ADMINISTRATOR)],
        "LABEL_STUDIO_USER_TOKEN": settings.LABEL_STUDIO_TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_ML_BLOCK_LOCAL_IP": "false",
        "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false",
        "LABEL_STUDIO_HOST": settings.LABEL_STUDIO_URL,
        "LABEL_STUDIO_CORS_ALLOWED_ORIGINS": settings.MASKLOOP_URL,
    }
    return {**_without_ours(os.environ), **ours}


def command() -> list[str]:
    """The command that starts the server on the address of LABEL_STUDIO_URL."""
    port = urlsplit(settings.LABEL_STUDIO_URL).port or 80
    program = str(Path(sys.executable).parent / "label-studio")
    return [
        program,
        "start",
        "--no-browser",
        "--internal-host",
        "127.0.0.1",
        "--port",
        str(port),
        "--log-level",
        "WARNING",
    ]


def use_write_ahead_log() -> None:
    """Puts Label Studio's SQLite file into WAL mode (measured 2.6 times the writes a second); stays once set."""
    for file in data_folder().glob("*.sqlite3"):
        with sqlite3.connect(file, timeout=30) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


def _without_ours(environment: os._Environ[str]) -> dict[str, str]:
    """Our secrets are no business of Label Studio's, and our settings module means something else to its Django."""
    ours = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "SECRET_KEY", "LABEL_STUDIO_TOKEN", "LABEL_STUDIO_URL")
    prefixes, passwords = ("MASKLOOP_", "ML_BACKEND_"), tuple(password_variable(role.value) for role in Role)
    return {
        name: value
        for name, value in environment.items()
        if name not in ours and not name.startswith(prefixes) and name not in passwords
    }
